/**
 * Files of the page itself: its workers, its examples.
 *
 * Owns      how they come in where the page was opened as a file: a browser then reads nothing but scripts, so that each has a script
 *           beside it which holds its bytes (vite.config.ts makes them).
 */

/** What those scripts fill: bytes in base64, by name. */
declare global {
  var revmapFiles: Record<string, string> | undefined;
}

const isFile = location.protocol === 'file:';

/** Throws an Error that says why in words. */
export async function readAsset(url: string): Promise<Uint8Array> {
  if (isFile) return readBeside(url);
  const answer = await fetch(url).catch(() => null);
  if (answer === null) throw new Error(unread(url));
  if (!answer.ok) throw new Error(`${url}: the server answered ${answer.status}`);
  try {
    return new Uint8Array(await answer.arrayBuffer());
  } catch {
    throw new Error(unread(url));
  }
}

function unread(url: string): string {
  return `${nameOf(url)} could not be read: the server of this page does not answer any more. If it was revmap serve, run it again and open the new link.`;
}

function nameOf(url: string): string {
  return new URL(url, location.href).pathname.split('/').at(-1)!;
}

/** A worker that is asked through `endpoint` (web/engine/expose.ts is the other end); what is said before it runs waits there. */
export interface ConnectedWorker {
  readonly endpoint: MessagePort;
  /** Rejects, in words, if it cannot run; who waits for its first answer waits for this, too. It never resolves. */
  readonly broken: Promise<never>;
  readonly terminate: () => void;
}

export function connectWorker(url: string): ConnectedWorker {
  const { port1, port2 } = new MessageChannel();
  const worker = startWorker(url);
  const broken = worker.then((started) => {
    started.postMessage(port2, [port2]);
    return new Promise<never>((_, failed) => {
      started.onerror = (event) => failed(new Error(event instanceof ErrorEvent ? event.message : unread(url)));
    });
  });
  // It may break while nobody waits.
  broken.catch(() => undefined);
  return {
    endpoint: port1,
    broken,
    terminate: () =>
      void worker.then(
        (started) => started.terminate(),
        () => undefined,
      ),
  };
}

async function startWorker(url: string): Promise<Worker> {
  if (!isFile) return new Worker(url, { name: 'revmap' });
  const source = new Blob([(await readBeside(url)) as Uint8Array<ArrayBuffer>], { type: 'text/javascript' });
  return new Worker(URL.createObjectURL(source), { name: 'revmap' });
}

async function readBeside(url: string): Promise<Uint8Array> {
  const name = nameOf(url);
  if (globalThis.revmapFiles?.[name] === undefined) await loadScript(`${url}.beside.js`);
  const text = globalThis.revmapFiles?.[name];
  if (text === undefined) throw new Error(`${name} is not beside the page`);
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

function loadScript(url: string): Promise<void> {
  return new Promise((done, failed) => {
    const script = document.createElement('script');
    script.src = url;
    script.onload = () => done();
    script.onerror = () => failed(new Error(`${url} could not be read`));
    document.head.append(script);
  });
}
