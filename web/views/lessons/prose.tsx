/** A lesson's text: `code`, *stress*, and {n} for what the n-th fact beside it is. */
import type { ComponentChildren } from 'preact';
import type { Fact } from '../../lessons/lesson.ts';

export function Prose({ text, facts = [] }: { text: readonly string[]; facts?: readonly Fact[] }) {
  return (
    <>
      {text.map((paragraph) => (
        <p key={paragraph}>{pieces(paragraph, facts)}</p>
      ))}
    </>
  );
}

function pieces(paragraph: string, facts: readonly Fact[]): ComponentChildren[] {
  return paragraph.split(/(`[^`]+`|\*[^*]+\*|\{\d+\})/).map((piece, n) => {
    const inside = piece.slice(1, -1);
    if (piece.startsWith('`')) return <code key={n}>{inside}</code>;
    if (piece.startsWith('*')) return <em key={n}>{inside}</em>;
    if (piece.startsWith('{')) return <strong key={n}>{facts[Number(inside)]?.want}</strong>;
    return piece;
  });
}
