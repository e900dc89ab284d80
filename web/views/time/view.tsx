/** Stand-in: its builder replaces it. */
import type { ViewProps } from '../../app/page.tsx';

export function TimeView({ engine }: ViewProps) {
  return <p class="empty">Step {engine.now.value?.step}</p>;
}
