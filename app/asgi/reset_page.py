"""The page that the mailed link to choose a new password leads to, for products that have none; it mails another link, too."""

from __future__ import annotations

from app.accounts.people.password_changes import LINK_LIFETIME
from app.accounts.security.passwords import SHORTEST
from app.asgi.page_frame import Page
from app.wording import duration

_CONTENT = f"""<p id="said" role="status" tabindex="-1">Choose a new password of {SHORTEST} characters or more.
You will be signed out everywhere else.</p>
<form id="choose">
<input id="account" autocomplete="username" hidden>
<p><label>New password<br>
<input id="password" type="password" autocomplete="new-password" minlength="{SHORTEST}" required autofocus></label></p>
<p><button>Set the password</button></p>
</form>
<form id="another" hidden>
<p><label>E-mail address<br><input id="address" type="email" autocomplete="username" required></label></p>
<p><button>Mail me another link</button></p>
</form>"""

_SCRIPT = (
    f"""
const LINK_LIFETIME = "{duration(LINK_LIFETIME)}";
"""
    + """
const [choose, another] = ["choose", "another"].map(element);

const offerAnother = reason => {
  say(reason + " With your e-mail address you can have another link mailed to you here.");
  choose.hidden = true;
  another.hidden = false;
  element("address").focus();
};

choose.onsubmit = event => {
  event.preventDefault();
  act(async () => {
    const {resetPassword: {user}} = await ask(
      `mutation ($input: ResetPasswordInput!) {
        resetPassword(input: $input) { user { displayName handle primaryEmail { address } } userErrors { code message } }
      }`,
      {input: {token, newPassword: element("password").value}}
    );
    // for password managers, which ask to keep the password when its form goes
    element("account").value = user.primaryEmail.address;
    say(...calling(user, "your password is set, and you are signed in."));
    choose.hidden = true;
  }, {TOKEN_EXPIRED: offerAnother});
};

another.onsubmit = event => {
  event.preventDefault();
  act(async () => {
    const emailAddress = element("address").value;
    await ask(
      `mutation ($input: RequestPasswordResetInput!) { requestPasswordReset(input: $input) { userErrors { code message } } }`,
      {input: {emailAddress}}
    );
    say(
      "If there is an account with ", named(emailAddress), `, a link that is good for ${LINK_LIFETIME} is on its way there. `
      + "If there is none, the mail says so."
    );
  });
};

if (!token) offerAnother(INCOMPLETE);
"""
)

PAGE = Page("Choose a new password", _CONTENT, _SCRIPT)
