/**
 * Which blocks of the readers have run: V8's own block coverage, asked in this process.
 *
 * Owns      the map from V8's ranges to places in the bundle.
 * Promises  `take` tells what ran since the last `take`, whatever ran before.
 *
 * V8 reports, for each function that ran, nested ranges of source with a count each, and merges those with the count of what is around
 * them. So ranges come and go; what stays is the text: a place counts as covered if the innermost range around it has run.
 */
import { Session } from 'node:inspector';

interface Range {
  startOffset: number;
  endOffset: number;
  count: number;
}
interface Script {
  url: string;
  functions: { functionName: string; ranges: Range[] }[];
}

export class Coverage {
  private readonly session: Session = new Session();
  private readonly url: string;
  /** Ends and starts of all ranges that V8 ever told: between two of them lies a block. */
  private readonly edges: Set<number> = new Set();
  private readonly painted: Uint8Array;

  /** `url`: the script whose blocks count, `length` characters long. */
  constructor(url: string, length: number) {
    this.url = url;
    this.painted = new Uint8Array(length);
    this.session.connect();
    this.ask('Profiler.enable');
    this.ask('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Marks in `seen` what ran since the last call; true if something of it was not marked. With `mark` false it only looks. */
  take(seen: Uint8Array, mark: boolean): boolean {
    const { result } = this.ask('Profiler.takePreciseCoverage') as { result: Script[] };
    const script = result.find(({ url }) => url === this.url);
    let isNew = false;
    for (const { ranges } of script?.functions ?? []) {
      if (ranges[0]!.count === 0) continue;
      const { painted } = this;
      const { startOffset: from, endOffset: to } = ranges[0]!;
      for (const { startOffset, endOffset, count } of ranges) {
        painted.fill(count > 0 ? 1 : 0, startOffset, endOffset);
        this.edges.add(startOffset).add(endOffset);
      }
      for (let at = from; at < to; at++) {
        if (painted[at] === 0 || seen[at] === 1) continue;
        isNew = true;
        if (!mark) break;
        seen[at] = 1;
      }
    }
    return isNew;
  }

  /** What ran until now does not count. */
  forget(): void {
    this.ask('Profiler.takePreciseCoverage');
  }

  /** Blocks that are marked in any of the maps, and all that V8 told of. */
  blocks(maps: readonly Uint8Array[]): { covered: number; all: number } {
    const edges = [...this.edges].sort((a, b) => a - b);
    const covered = edges.filter((edge) => maps.some((map) => map[edge] === 1)).length;
    return { covered, all: edges.length };
  }

  private ask(method: string, parameters: object = {}): unknown {
    let answer: unknown;
    this.session.post(method, parameters, (error, result) => {
      if (error !== null) throw new Error(`${method}: ${error.message}`);
      answer = result;
    });
    return answer;
  }
}
