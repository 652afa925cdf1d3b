"""The page that the mailed link of an invitation leads to, for products that have none: it signs in where needed, then accepts."""

from __future__ import annotations

# What is shown of an organization is set as text, never as markup: strangers typed it.
CONTENT = """<p id="said" role="status">One moment …</p>
<form id="who" hidden>
<p>Sign in with the e-mail address that this invitation was mailed to, or open an account with it.</p>
<p><label>E-mail address<br><input id="address" type="email" autocomplete="username" required></label></p>
<p><label>Password<br><input id="password" type="password" autocomplete="current-password" required></label></p>
<p><button name="signIn">Sign in</button> <button name="signUp">Open an account</button></p>
</form>
<p id="accept" hidden><button id="go">Accept the invitation</button> <button id="other">Use another account</button></p>
<script nonce="{nonce}">
const [said, who, accept, go] = ["said", "who", "accept", "go"].map(id => document.getElementById(id));
const token = new URLSearchParams(location.search).get("token") || "";
// the same for every click, so that a click after a lost answer is no second acceptance
const idempotencyKey = Array.from(crypto.getRandomValues(new Uint8Array(16)), each => each.toString(16)).join("-");

async function ask(query, variables) {{
  const answer = await fetch("/graphql", {{
    method: "POST", headers: {{"content-type": "application/json"}}, body: JSON.stringify({{query, variables}})
  }});
  const {{data, errors}} = await answer.json();
  if (errors) throw new Error(errors[0].message);
  for (const {{userErrors}} of Object.values(data).filter(each => each && each.userErrors)) {{
    if (userErrors.length) throw new Error(userErrors[0].message);
  }}
  return data;
}}

async function act(work) {{
  const buttons = document.querySelectorAll("button");
  buttons.forEach(each => each.disabled = true);
  try {{
    await work();
  }} catch (wrong) {{
    said.textContent = wrong instanceof TypeError ? "The server can't be reached. Try again." : wrong.message;
  }}
  buttons.forEach(each => each.disabled = false);
}}

async function show() {{
  const {{viewer, invitationOffer: offer}} = await ask(
    `query ($token: String!) {{
      viewer {{ displayName }} invitationOffer(token: $token) {{ organizationName organizationHandle role }}
    }}`,
    {{token}}
  );
  who.hidden = Boolean(viewer);
  accept.hidden = !viewer;
  if (!viewer) said.textContent = "Sign in to see what you are invited to.";
  else if (offer) said.textContent = `${{viewer.displayName}}, you are invited to join ${{offer.organizationName}} `
    + `(${{offer.organizationHandle}}) as ${{offer.role.toLowerCase()}}.`;
  else said.textContent = `You are signed in as ${{viewer.displayName}}.`;
}}

who.onsubmit = event => {{
  event.preventDefault();
  const name = event.submitter ? event.submitter.name : "signIn";
  const input = {{emailAddress: document.getElementById("address").value, password: document.getElementById("password").value}};
  act(async () => {{
    if (name === "signUp") {{
      await ask(`mutation ($input: SignUpInput!) {{ signUp(input: $input) {{ userErrors {{ message }} }} }}`, {{input}});
      said.textContent = "Follow the link in the mail that is on its way to you, then come back to this page.";
    }} else {{
      await ask(`mutation ($input: SignInInput!) {{ signIn(input: $input) {{ userErrors {{ message }} }} }}`, {{input}});
      await show();
    }}
  }});
}};

go.onclick = () => act(async () => {{
  const {{acceptInvitation: done}} = await ask(
    `mutation ($input: AcceptInvitationInput!) {{
      acceptInvitation(input: $input) {{ workspace {{ name }} userErrors {{ message }} }}
    }}`,
    {{input: {{token, idempotencyKey}}}}
  );
  said.textContent = done.workspace ? `You belong to ${{done.workspace.name}} now.` : "You don't belong to it any more.";
  accept.hidden = true;
}});

document.getElementById("other").onclick = () => act(async () => {{
  await ask(`mutation {{ signOut {{ userErrors {{ message }} }} }}`, {{}});
  await show();
}});

act(show);
</script>"""
