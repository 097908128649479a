'use strict';
(() => {
  const at = (id) => document.getElementById(id);
  const base = location.pathname.replace(/\/+$/, '');
  const mails = new Map();
  let chosen = null;

  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  const time = (text) => {
    const date = new Date(text);
    const today = date.toDateString() === new Date().toDateString();
    return today
      ? date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' })
      : date.toLocaleDateString([], { day: 'numeric', month: 'short' });
  };

  const drawList = () => {
    const words = at('search').value.trim().toLowerCase();
    const fits = (mail) => !words || `${mail.to} ${mail.subject} ${mail.kind}`.toLowerCase().includes(words);
    const shown = [...mails.values()].filter(fits).reverse();
    const focused = document.activeElement?.dataset?.id;
    at('list').replaceChildren(...shown.map((mail) => {
      const button = element('button');
      button.type = 'button';
      button.dataset.id = mail.id;
      if (mail.id === chosen) button.setAttribute('aria-current', 'true');
      const when = element('time', 'at', time(mail.at));
      when.dateTime = mail.at;
      button.append(element('span', 'to', mail.to), when, element('span', 'subject', mail.subject));
      if (mail.data.otp) button.append(element('span', 'otp', mail.data.otp));
      button.addEventListener('click', () => read(mail.id));
      const item = element('li');
      item.append(button);
      return item;
    }));
    if (focused) at('list').querySelector(`[data-id="${focused}"]`)?.focus({ preventScroll: true });
    at('count').textContent = mails.size;
    at('count').hidden = mails.size === 0;
    at('clear').disabled = mails.size === 0;
    at('empty').hidden = shown.length > 0;
    at('empty').textContent = mails.size ? 'No mail fits the search.' : 'No mail yet. What Gatepost sends appears here by itself.';
    document.title = mails.size ? `(${mails.size}) Inbox` : 'Inbox';
  };

  const copy = (label, text) => {
    const button = element('button', 'plain', label);
    button.type = 'button';
    button.addEventListener('click', async () => {
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = 'Copied';
      } catch {
        button.textContent = 'Not allowed here';
      }
      setTimeout(() => { button.textContent = label; }, 1500);
    });
    return button;
  };

  const actions = ({ otp, url, token }) => {
    const made = [];
    if (otp) {
      const button = copy('Copy code', otp);
      button.className = 'main';
      made.push(element('span', 'value', otp), button);
    }
    if (url && /^https?:/i.test(url)) {
      const link = element('a', '', 'Open link');
      link.href = url;
      link.target = '_blank';
      link.rel = 'noopener noreferrer';
      made.push(link);
    }
    if (url) made.push(copy('Copy link', url));
    if (token) made.push(copy('Copy token', token));
    return made;
  };

  const read = (id) => {
    const mail = mails.get(id);
    const changed = chosen !== id;
    chosen = mail ? id : null;
    at('mail').hidden = !mail;
    at('hint').hidden = Boolean(mail);
    at('main').classList.toggle('reading', Boolean(mail));
    if (mail && changed) {
      at('subject').textContent = mail.subject;
      at('to').textContent = mail.to;
      at('at').textContent = new Date(mail.at).toLocaleString();
      at('at').dateTime = mail.at;
      at('kind').textContent = mail.kind;
      at('actions').replaceChildren(...actions(mail.data));
      at('html').srcdoc = mail.html;
      at('text').textContent = mail.text;
      at('data').textContent = JSON.stringify(mail.data, null, 2);
      at('mail').scrollTop = 0;
      at('mail').focus({ preventScroll: true });
    }
    drawList();
  };

  const tabs = ['html', 'text', 'data'];
  const show = (name) => {
    for (const each of tabs) {
      const selected = each === name;
      at(each).hidden = !selected;
      at(`tab-${each}`).setAttribute('aria-selected', String(selected));
      at(`tab-${each}`).tabIndex = selected ? 0 : -1;
    }
  };
  tabs.forEach((name, index) => {
    at(`tab-${name}`).addEventListener('click', () => show(name));
    at(`tab-${name}`).addEventListener('keydown', (event) => {
      const step = { ArrowRight: 1, ArrowLeft: tabs.length - 1 }[event.key];
      if (!step) return;
      const next = tabs[(index + step) % tabs.length];
      show(next);
      at(`tab-${next}`).focus();
    });
  });

  const refresh = async () => {
    const response = await fetch(`${base}/messages`);
    if (!response.ok) throw new Error(String(response.status));
    const list = await response.json();
    mails.clear();
    for (const mail of list) mails.set(mail.id, mail);
    if (chosen !== null && !mails.has(chosen)) read(null);
    else drawList();
  };

  // One refresh at a time; what happens meanwhile asks for one more.
  let running = false;
  let again = false;
  const soon = async () => {
    again = true;
    if (running) return;
    running = true;
    while (again) {
      again = false;
      try {
        await refresh();
      } catch {
        live(false);
      }
    }
    running = false;
  };

  const live = (on) => {
    at('live').classList.toggle('on', on);
    at('live').textContent = on ? 'Live' : 'Reconnecting…';
  };

  at('search').addEventListener('input', drawList);
  at('back').addEventListener('click', () => read(null));
  at('clear').addEventListener('click', async () => {
    await fetch(`${base}/messages`, { method: 'DELETE' });
    soon();
  });
  const events = new EventSource(`${base}/events`);
  events.addEventListener('open', () => { live(true); soon(); });
  events.addEventListener('change', soon);
  events.addEventListener('error', () => live(false));
})();
