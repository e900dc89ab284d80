/** Text of others in HTML and SVG. */

const NAMES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** For text and attributes, in HTML and SVG. What neither may hold (control characters, lone surrogates) becomes U+FFFD. */
export function escapeHtml(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cs}\uFFFE\uFFFF]/gu, (c) => (c === '\n' || c === '\t' ? c : '\uFFFD'))
    .replace(/[&<>"']/g, (c) => NAMES[c]!);
}
