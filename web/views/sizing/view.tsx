/** Stand-in: its builder replaces it. */
import type { ViewProps } from '../../app/page.tsx';

export function SizingView({ engine }: ViewProps) {
  return <p class="empty">Step {engine.now.value?.step}</p>;
}
