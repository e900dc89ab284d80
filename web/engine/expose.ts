/** The worker's end of connectWorker (web/app/assets.ts). */
import * as Comlink from 'comlink';

/** `remote` answers on the port that the page sends first. */
export function exposeToPage(remote: object): void {
  addEventListener('message', ({ data }: MessageEvent<MessagePort>) => Comlink.expose(remote, data), { once: true });
}
