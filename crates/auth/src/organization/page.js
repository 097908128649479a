const main = document.querySelector('main');
const id = main.dataset.invitation;
const part = (name) => document.getElementById(name);
const say = (text) => { part('say').textContent = text; };
const show = (...names) => {
  for (const name of ['sign', 'answer', 'verify', 'leave']) part(name).hidden = !names.includes(name);
};
const ask = async (path, body) => {
  const request = body === undefined ? {} : {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
  };
  const answer = await fetch(path, { credentials: 'same-origin', ...request });
  const text = await answer.text();
  return { status: answer.status, body: text ? JSON.parse(text) : null };
};
const refused = (answer) => say(answer.body?.message ?? `That did not work (${answer.status}).`);

let organization = '';
const load = async () => {
  const answer = await ask(`organization/get-invitation?id=${id}`);
  const code = answer.body?.code;
  if (answer.status === 200) {
    organization = answer.body.organizationName;
    say(`${answer.body.inviterEmail} invites you to ${organization} as ${answer.body.role}.`);
    show('answer', 'leave');
  } else if (answer.status === 401) {
    say('Sign in with the address that was invited, or create an account with it.');
    show('sign');
  } else if (code === 'EMAIL_VERIFICATION_REQUIRED_FOR_INVITATION') {
    say('Confirm your address first: then this page shows the invitation.');
    show('verify', 'leave');
  } else if (code === 'YOU_ARE_NOT_THE_RECIPIENT_OF_THE_INVITATION') {
    say('This invitation is for another address than the one you are signed in with.');
    show('leave');
  } else {
    say('This invitation is not open: it was answered or taken back, or its time is over.');
    show();
  }
};

part('sign').addEventListener('submit', async (event) => {
  event.preventDefault();
  const email = event.target.email.value;
  const password = event.target.password.value;
  const isNew = event.submitter?.value === 'up';
  const answer = isNew
    ? await ask('sign-up/email', { name: email.split('@')[0], email, password, callbackURL: location.href })
    : await ask('sign-in/email', { email, password });
  if (answer.status !== 200) return refused(answer);
  if (isNew && !answer.body.token) { say('Confirm your address by the mail that was just sent to it.'); return show(); }
  return load();
});
part('answer').addEventListener('click', async ({ target }) => {
  if (!target.value) return;
  const answer = await ask(`organization/${target.value}-invitation`, { invitationId: id });
  if (answer.status !== 200) return refused(answer);
  say(target.value === 'accept' ? `You are a member of ${organization} now. You can close this page.` : 'You declined the invitation.');
  show();
});
part('verify').addEventListener('click', async ({ target }) => {
  if (target.localName !== 'button') return;
  const session = await ask('get-session');
  const answer = await ask('send-verification-email', { email: session.body?.user.email, callbackURL: location.href });
  if (answer.status !== 200) return refused(answer);
  say('A mail is on its way. Its link leads back here.');
});
part('leave').addEventListener('click', async ({ target }) => {
  if (target.localName !== 'button') return;
  await ask('sign-out', {});
  load();
});
load();
