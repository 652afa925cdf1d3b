"""The page that the mailed link to confirm an address leads to, for products that have none."""

from __future__ import annotations

from app.asgi.page_frame import Page

# A button, since mail programs open links by themselves to look at them: only a person's click may use the link up.
_CONTENT = """<p id="said" role="status">One click confirms that this address is yours. Go on only if it was you who asked for it:
whoever asked for an account chose its password.</p>
<p id="who" hidden></p>
<p><button id="go">Confirm my e-mail address</button></p>"""

_SCRIPT = """
const [who, go] = ["who", "go"].map(element);

const end = (...parts) => {
  say(...parts);
  who.hidden = go.hidden = true;
};

async function show() {
  if (!token) return end(INCOMPLETE);
  const {viewer} = await ask(`query { viewer { displayName } }`);
  if (!viewer) return;
  who.replaceChildren(
    "You are signed in as ", named(viewer.displayName),
    ". If this link opens a new account, you will be signed in to that one instead."
  );
  who.hidden = false;
}

go.onclick = () => act(async () => {
  const {verifyEmail: {user}} = await ask(
    `mutation ($input: VerifyEmailInput!) {
      verifyEmail(input: $input) { user { displayName } userErrors { code message } }
    }`,
    {input: {token}}
  );
  if (user) end("The address is confirmed, ", named(user.displayName), ". You are signed in.");
  else end("The address is confirmed.");
}, {
  TOKEN_EXPIRED: message => end(
    message + " If you used it yourself, sign in. To get another link, sign up again with the same address or, for an address "
    + "that you added to an account, send another one from the account's settings."
  ),
  EMAIL_TAKEN: message => end(message + " If you don't know its password, ask for the link for those who forgot theirs."),
});

act(show);
"""

PAGE = Page("Confirm your e-mail address", _CONTENT, _SCRIPT)
