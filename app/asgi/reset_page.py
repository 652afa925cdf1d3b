"""The page that the mailed link to choose a new password leads to, for products that have none."""

from __future__ import annotations

CONTENT = """<p id="said" role="status">Choose a new password of 10 characters or more. You will be signed out everywhere else.</p>
<form id="form">
<p><label>New password<br><input id="password" type="password" autocomplete="new-password" minlength="10" required></label></p>
<p><button id="go">Set the password</button></p>
</form>
<script nonce="{nonce}">
const [said, form, password, go] = ["said", "form", "password", "go"].map(id => document.getElementById(id));
const token = new URLSearchParams(location.search).get("token") || "";
form.onsubmit = async event => {{
  event.preventDefault();
  go.disabled = true;
  const query = `mutation ($token: String!, $newPassword: String!) {{
    resetPassword(input: {{token: $token, newPassword: $newPassword}}) {{ userErrors {{ message }} }}
  }}`;
  const variables = {{token, newPassword: password.value}};
  try {{
    const answer = await fetch("/graphql", {{
      method: "POST", headers: {{"content-type": "application/json"}}, body: JSON.stringify({{query, variables}})
    }});
    const {{data, errors}} = await answer.json();
    const wrong = errors ? errors[0] : data.resetPassword.userErrors[0];
    said.textContent = wrong ? wrong.message : "Your password is set, and you are signed in.";
    if (!wrong) form.remove();
  }} catch {{
    said.textContent = "The server can't be reached. Try again.";
  }}
  go.disabled = false;
}};
</script>"""
