/**
 * What every answer says to a browser, also a refusal.
 *
 * Owns      the headers that keep the page to itself.
 * Promises  1. Nothing is loaded from elsewhere, framed, or read by another origin: there is no CORS header, and never will be.
 *           2. Nobody keeps what belongs to this host: only the page itself may be cached, and is asked for again.
 */

const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "font-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** What a page of figures never needs. */
const NOT_PERMITTED = [
  'accelerometer',
  'camera',
  'display-capture',
  'geolocation',
  'gyroscope',
  'hid',
  'magnetometer',
  'microphone',
  'midi',
  'payment',
  'serial',
  'usb',
];

export type AnswerHeaders = Readonly<Record<string, string | number>>;

export const SAFE_HEADERS: AnswerHeaders = {
  'Content-Security-Policy': CONTENT_SECURITY_POLICY,
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': NOT_PERMITTED.map((name) => `${name}=()`).join(', '),
};

export const NOT_KEPT: AnswerHeaders = { 'Cache-Control': 'no-store' };
