/** A request that is refused: an answer like any other, in one sentence. It never repeats what the request said. */
import { STATUS_CODES } from 'node:http';
import { type AnswerHeaders, NOT_KEPT, SAFE_HEADERS } from './headers.ts';

export class Refusal {
  readonly status: number;
  readonly why: string;
  readonly headers: AnswerHeaders;

  constructor(status: number, why: string, headers: AnswerHeaders = {}) {
    this.status = status;
    this.why = why;
    this.headers = headers;
  }

  /** Each refusal ends its connection: what stands behind a bad request on it is not believed either. */
  allHeaders(): AnswerHeaders {
    return {
      ...SAFE_HEADERS,
      ...NOT_KEPT,
      ...this.headers,
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': Buffer.byteLength(this.text()),
      Connection: 'close',
    };
  }

  text(): string {
    return `${this.why}\n`;
  }

  /** The whole answer, where there is no request that one could answer. */
  raw(): string {
    const lines = Object.entries(this.allHeaders()).map(([name, value]) => `${name}: ${value}\r\n`);
    return `HTTP/1.1 ${this.status} ${STATUS_CODES[this.status]}\r\n${lines.join('')}\r\n${this.text()}`;
  }
}
