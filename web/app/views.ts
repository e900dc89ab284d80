/** The views of the page, in the order of its tabs. */
export const VIEWS = [
  { id: 'frames', name: 'Frames', says: 'every physical frame, and its struct page' },
  { id: 'spaces', name: 'Address spaces', says: 'processes, their regions and pages' },
  { id: 'reverse', name: 'Reverse map', says: 'from a frame to every entry that maps it' },
  { id: 'lists', name: 'Lists', says: 'LRU lists, generations, swap' },
  { id: 'time', name: 'Time', says: 'what happened when; run to a condition' },
  { id: 'compare', name: 'Compare', says: 'two machines on the same recording' },
  { id: 'sizing', name: 'Sizing', says: 'how small the memory may be' },
  { id: 'host', name: 'Host', says: 'a snapshot, or this host' },
  { id: 'lessons', name: 'Lessons', says: 'ten guided tours' },
  { id: 'editor', name: 'Editor', says: 'write a memory program and run it' },
] as const;
export type ViewId = (typeof VIEWS)[number]['id'];
