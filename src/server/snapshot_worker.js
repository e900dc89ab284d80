/** The bundle of snapshot_worker.ts stands under this name in dist/. Among the sources it is this: a thread knows no TypeScript by itself. */
import { register } from 'tsx/esm/api';

register();
await import('./snapshot_worker.ts');
