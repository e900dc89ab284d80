/** Small drawings for lessons: one picture, one thought. Colours are the page's, so they hold in light and dark. */
import type { ComponentChildren } from 'preact';
import type { DrawingId } from '../../lessons/drawing_ids.ts';

interface Picture {
  readonly title: string;
  /** What there is to see, for who does not see it. */
  readonly says: string;
  readonly height: number;
  readonly draw: () => ComponentChildren;
}

const WIDTH = 400;

export function Drawing({ id }: { id: DrawingId }) {
  const { title, says, height, draw } = PICTURES[id];
  return (
    <figure class="lesson-drawing">
      <svg viewBox={`0 0 ${WIDTH} ${height}`} role="img" aria-labelledby={`${id}-title ${id}-desc`}>
        <title id={`${id}-title`}>{title}</title>
        <desc id={`${id}-desc`}>{says}</desc>
        {draw()}
      </svg>
    </figure>
  );
}

function Box(props: { x: number; y: number; w: number; h?: number; text: string; kind?: string }) {
  const { x, y, w, h = 26, text, kind = '' } = props;
  return (
    <g class={`box ${kind}`}>
      <rect x={x} y={y} width={w} height={h} rx="3" />
      <text x={x + w / 2} y={y + h / 2 + 4} text-anchor="middle">
        {text}
      </text>
    </g>
  );
}

function Arrow({
  from,
  to,
  vain = false,
}: {
  from: readonly [number, number];
  to: readonly [number, number];
  vain?: boolean;
}) {
  const [x1, y1] = from;
  const [x2, y2] = to;
  const angle = Math.atan2(y2 - y1, x2 - x1);
  const wing = (turn: number) => `${x2 - 7 * Math.cos(angle + turn)},${y2 - 7 * Math.sin(angle + turn)}`;
  return (
    <g class={vain ? 'arrow vain' : 'arrow'}>
      <line x1={x1} y1={y1} x2={x2} y2={y2} />
      <polyline points={`${wing(0.45)} ${x2},${y2} ${wing(-0.45)}`} />
    </g>
  );
}

function Note({
  x,
  y,
  anchor = 'start',
  children,
}: {
  x: number;
  y: number;
  anchor?: 'start' | 'middle' | 'end';
  children: string;
}) {
  return (
    <text class="note" x={x} y={y} text-anchor={anchor}>
      {children}
    </text>
  );
}

const PICTURES: Readonly<Record<DrawingId, Picture>> = {
  'mapping-word': {
    title: 'The word page->mapping',
    says: 'A pointer of 64 bits. Its lowest bit is 1 if it points to an anon_vma, and 0 if it points to a file’s page cache.',
    height: 112,
    draw: () => (
      <>
        <Box x={8} y={24} w={290} text="address of the object" />
        <Box x={298} y={24} w={40} text="0" />
        <Box x={338} y={24} w={50} text="0 | 1" kind="marked" />
        <Note x={8} y={16}>
          bit 63
        </Note>
        <Note x={388} y={16} anchor="end">
          bit 0
        </Note>
        <Arrow from={[363, 52]} to={[300, 84]} />
        <Note x={292} y={98} anchor="end">
          1: an anon_vma · 0: a file’s page cache
        </Note>
      </>
    ),
  },
  formula: {
    title: 'A window on a file',
    says: 'A file of 12 pages; a region shows its pages 4 to 11. Page 5 of the file is one page behind the region’s start: index minus vm_pgoff.',
    height: 132,
    draw: () => (
      <>
        <Note x={8} y={14}>
          the file, by pages
        </Note>
        {Array.from({ length: 12 }, (_, n) => (
          <Box key={n} x={8 + n * 32} y={20} w={32} text={String(n)} kind={n === 5 ? 'marked' : n < 4 ? 'faint' : ''} />
        ))}
        {Array.from({ length: 8 }, (_, n) => (
          <Box key={n} x={136 + n * 32} y={76} w={32} text={`+${n}`} kind={n === 1 ? 'marked' : ''} />
        ))}
        <Arrow from={[184, 48]} to={[184, 74]} />
        <Note x={8} y={94}>
          the region
        </Note>
        <Note x={8} y={122}>
          address = vm_start + (index − vm_pgoff) = vm_start + (5 − 4)
        </Note>
      </>
    ),
  },
  chains: {
    title: 'anon_vmas with links',
    says: 'Two anon_vmas. The parent’s links both regions, the child’s links the child’s region alone. The walk for a page of the child meets one region.',
    height: 140,
    draw: () => (
      <>
        <Box x={8} y={10} w={120} text="page from before" />
        <Box x={8} y={100} w={120} text="the child’s copy" kind="marked" />
        <Box x={158} y={10} w={90} text="anon_vma 1" />
        <Box x={158} y={100} w={90} text="anon_vma 2" kind="marked" />
        <Box x={278} y={10} w={114} text="parent’s region" />
        <Box x={278} y={100} w={114} text="child’s region" kind="marked" />
        <Arrow from={[128, 23]} to={[156, 23]} />
        <Arrow from={[128, 113]} to={[156, 113]} />
        <Arrow from={[248, 23]} to={[276, 23]} />
        <Arrow from={[248, 113]} to={[276, 113]} />
        <Arrow from={[236, 38]} to={[300, 98]} />
        <Note x={286} y={66}>
          links (chains)
        </Note>
      </>
    ),
  },
  'flat-list': {
    title: 'One anon_vma for a family',
    says: 'The page of process 5 points to the family’s one anon_vma. Its list has the regions of processes 1 to 5. Four of them are visited in vain.',
    height: 156,
    draw: () => (
      <>
        <Box x={8} y={62} w={110} text="page of 5" kind="marked" />
        <Box x={148} y={62} w={90} text="anon_vma 1" />
        <Arrow from={[118, 75]} to={[146, 75]} />
        {[1, 2, 3, 4, 5].map((pid, n) => (
          <g key={pid}>
            <Box x={300} y={6 + n * 29} w={92} h={24} text={`region of ${pid}`} kind={pid === 5 ? 'marked' : 'faint'} />
            <Arrow from={[238, 75]} to={[298, 18 + n * 29]} vain={pid !== 5} />
          </g>
        ))}
        <Note x={148} y={110}>
          dashed: in vain
        </Note>
      </>
    ),
  },
  'five-lists': {
    title: 'The five lists',
    says: 'inactive_anon and active_anon, inactive_file and active_file: pages enter at the head of an inactive list, used ones move to the active list, and reclaim takes from the inactive tails. unevictable stands apart.',
    height: 192,
    draw: () => (
      <>
        {[
          { name: 'active_anon', y: 8 },
          { name: 'inactive_anon', y: 40 },
          { name: 'active_file', y: 90 },
          { name: 'inactive_file', y: 122 },
        ].map(({ name, y }) => (
          <Box key={name} x={76} y={y} w={210} text={name} kind={name.startsWith('in') ? '' : 'faint'} />
        ))}
        <Box x={76} y={160} w={210} text="unevictable" kind="faint" />
        <Note x={8} y={57}>
          new
        </Note>
        <Note x={8} y={139}>
          new
        </Note>
        <Arrow from={[40, 53]} to={[74, 53]} />
        <Arrow from={[40, 135]} to={[74, 135]} />
        <Arrow from={[286, 53]} to={[316, 53]} />
        <Arrow from={[286, 135]} to={[316, 135]} />
        <Note x={320} y={57}>
          swap
        </Note>
        <Note x={320} y={139}>
          write, free
        </Note>
        <Note x={296} y={177}>
          never scanned
        </Note>
        <Note x={76} y={79}>
          head
        </Note>
        <Note x={286} y={79} anchor="end">
          tail
        </Note>
      </>
    ),
  },
  'second-chance': {
    title: 'The second chance',
    says: 'At the tail of the inactive list the scan looks at each page. A young one is marked referenced and goes to the head; a page that is young and referenced goes to the active list; any other is evicted.',
    height: 134,
    draw: () => (
      <>
        <Box x={8} y={54} w={250} text="inactive list" />
        <Box x={8} y={8} w={250} text="active list" kind="faint" />
        <Box x={296} y={54} w={96} text="the scan" kind="marked" />
        <Arrow from={[258, 67]} to={[294, 67]} />
        <Arrow from={[344, 52]} to={[260, 20]} />
        <Note x={392} y={30} anchor="end">
          young again
        </Note>
        <path class="curve" d="M 330 82 C 320 112, 40 112, 20 84" />
        <Arrow from={[24, 92]} to={[19, 82]} />
        <Note x={100} y={122}>
          young: referenced, to the head
        </Note>
        <Arrow from={[370, 82]} to={[370, 104]} />
        <Note x={392} y={120} anchor="end">
          old: out
        </Note>
      </>
    ),
  },
  'swap-entry': {
    title: 'A page-table entry, in memory and in swap',
    says: 'While the page is in memory, its entry has the frame’s number and a present bit of 1. When it is out, the entry has the number of its slot and a present bit of 0.',
    height: 92,
    draw: () => (
      <>
        <Note x={8} y={30}>
          in memory
        </Note>
        <Box x={96} y={12} w={214} text="number of the frame" />
        <Box x={310} y={12} w={82} text="present 1" kind="marked" />
        <Note x={8} y={72}>
          in swap
        </Note>
        <Box x={96} y={54} w={214} text="area and slot" />
        <Box x={310} y={54} w={82} text="present 0" kind="marked" />
      </>
    ),
  },
};
