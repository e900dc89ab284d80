/** The browser that tests use; undefined where there is none (`npm test` installs one where root may). */
import { existsSync } from 'node:fs';

export const CHROMIUM = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

export const CHROMIUM_ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
