/** The browser that tests use; undefined where there is none (`npm test` installs one where root may). */
import { existsSync } from 'node:fs';

/** The headless shell is the same engine without a window to draw, so it has less to do. */
export const CHROMIUM = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
  existsSync,
);

export const CHROMIUM_ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
