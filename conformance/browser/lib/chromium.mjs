// Chromium with a profile of its own, in which the user has decided about third-party cookies. A new context of a running
// browser would be an incognito window, where Chromium decides by itself.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
// The values of the setting in Chromium's `cookie_controls_mode`.
export const ALLOWED = 0, BLOCKED = 1;

// Started browsers that nobody uses, without cookies: to start one takes seconds.
const idle = { [ALLOWED]: [], [BLOCKED]: [] };
const started = [];

async function start(executablePath, thirdPartyCookies) {
  const profile = await mkdtemp(join(tmpdir(), 'gatepost-chromium-'));
  await mkdir(join(profile, 'Default'));
  await writeFile(join(profile, 'Default', 'Preferences'), JSON.stringify({ profile: { cookie_controls_mode: thirdPartyCookies } }));
  const context = await chromium.launchPersistentContext(profile, { executablePath, args: FLAGS });
  context.setDefaultTimeout(30_000);
  started.push(async () => { await context.close(); await rm(profile, { recursive: true, force: true }); });
  return context;
}

export async function launch(executablePath, thirdPartyCookies) {
  const context = idle[thirdPartyCookies].pop() ?? await start(executablePath, thirdPartyCookies);
  const close = async () => {
    await context.unrouteAll();
    const kept = await context.newPage();
    for (const page of context.pages()) if (page !== kept) await page.close();
    await context.clearCookies();
    idle[thirdPartyCookies].push(context);
  };
  return { context, close };
}

export const endAll = () => Promise.all(started.map((end) => end()));
