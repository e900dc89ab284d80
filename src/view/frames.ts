/**
 * What the view of frames asks: every frame's category, zones, one frame in a line and as struct page.
 *
 * Promises  1. Machines of all kernels and snapshots of hosts answer in the same form.
 *           2. Only looks: asking changes no machine.
 */
import { frames, framesOfProcess } from './frames_colourings.ts';
import { frameLine } from './frames_line.ts';
import { zones } from './frames_zones.ts';
import { structPage } from './struct_page.ts';

export const framesQueries = { frames, framesOfProcess, zones, frameLine, structPage } as const;
