"""The page that the mailed link of an invitation leads to, for products that have none: it signs in where needed, then accepts."""

from __future__ import annotations

from app.accounts.security.passwords import SHORTEST
from app.asgi.page_frame import Page

_CONTENT = f"""<p id="said" role="status" tabindex="-1">One moment …</p>
<div id="who" hidden>
<form id="enter">
<h2>I have an account</h2>
<p><label>E-mail address<br><input id="address" type="email" autocomplete="username" required></label></p>
<p><label>Password<br><input id="password" type="password" autocomplete="current-password" required></label></p>
<p><button>Sign in</button></p>
</form>
<form id="begin">
<h2>I am new here</h2>
<p><label>The e-mail address that this invitation was mailed to<br>
<input id="new-address" type="email" autocomplete="username" required></label></p>
<p><label>A password of {SHORTEST} characters at least<br>
<input id="new-password" type="password" autocomplete="new-password" minlength="{SHORTEST}" required></label></p>
<p><button>Open an account</button></p>
</form>
</div>
<p id="wait" hidden><button id="confirmed">I have confirmed my address</button></p>
<p id="accept" hidden><button id="go">Accept the invitation</button> <button id="other">Use another account</button></p>"""

_SCRIPT = """
const [who, wait, accept, go] = ["who", "wait", "accept", "go"].map(element);
// the same for every click, so that a click after a lost answer is no second acceptance
const idempotencyKey = Array.from(crypto.getRandomValues(new Uint8Array(16)), each => each.toString(16)).join("-");

const DEAD = "This link is used up or too old, or the invitation was mailed to an address that this account has not verified. "
  + "Verify that address, use the account that has it, or ask to be invited again.";

async function show() {
  if (!token) return say(INCOMPLETE);
  const {viewer, invitationOffer: offer} = await ask(
    `query ($token: String!) {
      viewer { displayName handle primaryEmail { address } workspaces { handle viewerRole } }
      invitationOffer(token: $token) { organizationName organizationHandle role }
    }`,
    {token}
  );
  who.hidden = Boolean(viewer);
  accept.hidden = !viewer;
  go.hidden = wait.hidden = true;
  if (!viewer) return say("Sign in to see what you are invited to.");
  if (!offer) return say("You are signed in as ", account(viewer), ". ", DEAD);
  const organization = [named(offer.organizationName), ` (${offer.organizationHandle})`];
  const own = viewer.workspaces.find(({handle}) => handle === offer.organizationHandle);
  if (own) {
    const isAsInvited = own.viewerRole === "OWNER" || own.viewerRole === offer.role;
    const change = isAsInvited ? "" : " An owner can change your role.";
    return say(...calling(viewer, "you belong to "), ...organization, ` already, as ${own.viewerRole.toLowerCase()}.`, change);
  }
  say(...calling(viewer, "you are invited to join "), ...organization, ` as ${offer.role.toLowerCase()}.`);
  go.hidden = false;
}

element("enter").onsubmit = event => {
  event.preventDefault();
  const input = {emailAddress: element("address").value, password: element("password").value};
  act(async () => {
    await ask(`mutation ($input: SignInInput!) { signIn(input: $input) { userErrors { code message } } }`, {input});
    await show();
  });
};

element("begin").onsubmit = event => {
  event.preventDefault();
  const emailAddress = element("new-address").value;
  const input = {emailAddress, password: element("new-password").value};
  act(async () => {
    await ask(`mutation ($input: SignUpInput!) { signUp(input: $input) { userErrors { code message } } }`, {input});
    say("Follow the link in the mail that is on its way to ", named(emailAddress), ". This page waits for you.");
    element("address").value = emailAddress;
    who.hidden = true;
    wait.hidden = false;
  });
};

// the link signs in whoever follows it in this browser; elsewhere, or for an account that was there already, it takes the password
async function lookAgain() {
  await show();
  if (!who.hidden) say("You are not signed in here yet. Once you have followed the link in the mail, sign in with your password.");
}

element("confirmed").onclick = () => act(lookAgain);

document.addEventListener("visibilitychange", async () => {
  if (document.hidden || wait.hidden) return;
  const {viewer} = await ask(`query { viewer { handle } }`).catch(() => ({}));
  if (viewer && !wait.hidden) act(show);
});

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
