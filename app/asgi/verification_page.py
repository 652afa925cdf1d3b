"""The page that the mailed link to confirm an address leads to, for products that have none."""

from __future__ import annotations

from app.asgi.page_frame import Page

# A button, since mail programs open links by themselves to look at them: only a person's click may use the link up.
_CONTENT = """<p id="status" role="status" tabindex="-1">One click confirms that this address is yours.
Go on only if it was you who asked for it: whoever asked for an account chose its password.</p>
<p id="who" hidden></p>
<p><button id="go">Confirm my e-mail address</button></p>
<p id="others"></p>"""

_SCRIPT = """
const [who, go, others] = ["who", "go", "others"].map(element);
let viewer = null;

const end = (...parts) => {
  say(...parts);
  who.hidden = go.hidden = true;
};

async function show() {
  if (!token) return end(INCOMPLETE);
  ({viewer} = await ask(`query { viewer { displayName handle primaryEmail { address } emails { id address isVerified } } }`));
  if (!viewer) return;
  who.replaceChildren(
    "You are signed in as ", account(viewer),
    ". If this link opens a new account, you will be signed in to that one instead."
  );
  who.hidden = false;
}

function offerAnother() {
  const dead = "This link is not good any more";
  if (!viewer) {
    return end(
      dead + ". If you have confirmed your address already, sign in. "
      + "If not, sign up again with the same address: that mails you another link."
    );
  }
  const unconfirmed = viewer.emails.filter(each => !each.isVerified);
  if (!unconfirmed.length) return end(dead + ". You are signed in, and every address of your account is confirmed.");
  end(dead + ". You can have another one mailed to you here.");
  others.replaceChildren(...unconfirmed.map(offer));
}

function offer({id, address}) {
  const button = document.createElement("button");
  button.append("Mail a link to ", named(address));
  button.onclick = () => act(async () => {
    await ask(
      `mutation ($input: IdInput!) { sendEmailVerification(input: $input) { userErrors { code message } } }`,
      {input: {id}}
    );
    button.remove();
    say("Another link is on its way to ", named(address), ".");
  });
  return button;
}

go.onclick = () => act(async () => {
  const {verifyEmail: {user}} = await ask(
    `mutation ($input: VerifyEmailInput!) {
      verifyEmail(input: $input) { user { displayName handle } userErrors { code message } }
    }`,
    {input: {token}}
  );
  const back = " You can go back to the page that you came from.";
  if (user) end(...calling(user, "your address is confirmed, and you are signed in." + back));
  else end("The address is confirmed." + back);
}, {
  TOKEN_EXPIRED: offerAnother,
  EMAIL_TAKEN: message => end(message + " If you don't know its password, ask for the link for those who forgot theirs."),
});

act(show);
"""

PAGE = Page("Confirm your e-mail address", _CONTENT, _SCRIPT)
