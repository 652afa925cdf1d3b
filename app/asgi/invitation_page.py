"""The page that the mailed link of an invitation leads to, for products that have none: it signs in where needed, then accepts."""

from __future__ import annotations

from app.asgi.page_frame import Page

_CONTENT = """<p id="said" role="status">One moment …</p>
<form id="who" hidden>
<p>Sign in with the e-mail address that this invitation was mailed to, or open an account with it.</p>
<p><label>E-mail address<br><input id="address" type="email" autocomplete="username" required></label></p>
<p><label>Password<br><input id="password" type="password" autocomplete="current-password" required></label></p>
<p><button name="signIn">Sign in</button> <button name="signUp">Open an account</button></p>
</form>
<p id="accept" hidden><button id="go">Accept the invitation</button> <button id="other">Use another account</button></p>"""

_SCRIPT = """
const [who, accept, go] = ["who", "accept", "go"].map(element);
// the same for every click, so that a click after a lost answer is no second acceptance
const idempotencyKey = Array.from(crypto.getRandomValues(new Uint8Array(16)), each => each.toString(16)).join("-");

const DEAD = "This link is used up or too old, or the invitation was mailed to an address that this account has not verified. "
  + "Verify that address, use the account that has it, or ask to be invited again.";

async function show() {
  if (!token) return say(INCOMPLETE);
  const {viewer, invitationOffer: offer} = await ask(
    `query ($token: String!) {
      viewer { displayName workspaces { handle viewerRole } }
      invitationOffer(token: $token) { organizationName organizationHandle role }
    }`,
    {token}
  );
  who.hidden = Boolean(viewer);
  accept.hidden = !viewer;
  go.hidden = true;
  if (!viewer) return say("Sign in to see what you are invited to.");
  const name = named(viewer.displayName);
  if (!offer) return say("You are signed in as ", name, ". ", DEAD);
  const organization = [named(offer.organizationName), ` (${offer.organizationHandle})`];
  const own = viewer.workspaces.find(({handle}) => handle === offer.organizationHandle);
  if (own) {
    const change = own.viewerRole === "OWNER" ? "" : " An owner can change your role.";
    return say(name, ", you belong to ", ...organization, ` already, as ${own.viewerRole.toLowerCase()}.`, change);
  }
  say(name, ", you are invited to join ", ...organization, ` as ${offer.role.toLowerCase()}.`);
  go.hidden = false;
}

who.onsubmit = event => {
  event.preventDefault();
  const name = event.submitter ? event.submitter.name : "signIn";
  const input = {emailAddress: element("address").value, password: element("password").value};
  act(async () => {
    if (name === "signUp") {
      await ask(`mutation ($input: SignUpInput!) { signUp(input: $input) { userErrors { code message } } }`, {input});
      say("Follow the link in the mail that is on its way to you, then come back to this page.");
    } else {
      await ask(`mutation ($input: SignInInput!) { signIn(input: $input) { userErrors { code message } } }`, {input});
      await show();
    }
  });
};

go.onclick = () => act(async () => {
  const {acceptInvitation: {workspace}} = await ask(
    `mutation ($input: AcceptInvitationInput!) {
      acceptInvitation(input: $input) { workspace { name } userErrors { code message } }
    }`,
    {input: {token, idempotencyKey}}
  );
  if (workspace) say("You belong to ", named(workspace.name), " now.");
  else say("You don't belong to it any more.");
  accept.hidden = true;
}, {
  TOKEN_EXPIRED: message => {
    say(message);
    go.hidden = true;
  },
});

element("other").onclick = () => act(async () => {
  await ask(`mutation { signOut { userErrors { code message } } }`);
  await show();
});

act(show);
"""

PAGE = Page("You are invited", _CONTENT, _SCRIPT)
