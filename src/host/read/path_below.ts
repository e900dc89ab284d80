/** Paths below a directory, by name alone. Pure. */

/** `/x` below `/` or `/m`; null if it is elsewhere. */
export function below(folder: string, path: string): string | null {
  if (folder === '/') return path;
  if (path === folder) return '';
  return path.startsWith(`${folder}/`) ? path.slice(folder.length) : null;
}
