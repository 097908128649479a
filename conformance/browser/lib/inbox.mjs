// Mail, as the development server keeps it.
export async function mail(server, to, kind) {
  const query = new URLSearchParams({ to, kind });
  for (let tries = 0; tries < 100; tries++) {
    const mails = await (await fetch(`${server}/inbox/messages?${query}`)).json();
    if (mails.length) return mails.at(-1).data;
    await new Promise((wait) => setTimeout(wait, 100));
  }
  throw new Error(`no mail of kind ${kind} to ${to}`);
}
