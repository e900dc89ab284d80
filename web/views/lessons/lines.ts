/** A program's lines as a lesson shows them: calls with their steps, and remarks. */
export interface ShownLine {
  readonly text: string;
  /** Steps that are made before it; null: a remark or a directive. */
  readonly step: number | null;
}

/** Without what a reader need not see: the version, the title, how often a snapshot is taken. */
export function programLines(text: string): ShownLine[] {
  const shown: ShownLine[] = [];
  let step = 0;
  for (const line of text.split('\n')) {
    if (line === '' || /^%(mmp|title|snapshot)\b/.test(line)) continue;
    shown.push({ text: line, step: /^[#%]/.test(line) ? null : step++ });
  }
  return shown;
}
