/**
 * What a cgroup's path says to people: which container, pod or unit it is.
 *
 *     /system.slice/docker-3f2a…64….scope                                       docker 3f2ab1c04d5e
 *     /machine.slice/libpod-9c1d….scope/container                               podman 9c1d…
 *     /kubepods.slice/…/kubepods-burstable-pod4e1b_….slice/cri-containerd-….scope   containerd 77aa… in pod 4e1b-…
 *     /kubepods/burstable/pod4e1b-…/77aa…                                        container 77aa… in pod 4e1b-…
 *     /system.slice/ssh.service                                                 unit ssh.service
 *
 * Promises  It only reads the path: names that programs gave are not asked for. What it does not know keeps its path.
 */

export interface CgroupName {
  readonly kind:
    | 'docker'
    | 'podman'
    | 'containerd'
    | 'cri-o'
    | 'container'
    | 'pod'
    | 'lxc'
    | 'machine'
    | 'unit'
    | 'cgroup';
  /** A container's id is shortened to twelve digits, as the tools print it. */
  readonly name: string;
  /** The uid of the pod it is in. */
  readonly pod: string | null;
}

const ID = '([0-9a-f]{64})';
const ID_SHOWN = 12;

/** By the last component that says something; what is inside of a container belongs to it. */
const CONTAINERS: readonly (readonly [CgroupName['kind'], RegExp])[] = [
  ['docker', new RegExp(`^docker-${ID}\\.scope$`)],
  ['podman', new RegExp(`^libpod-(?:payload-)?${ID}(?:\\.scope)?$`)],
  ['containerd', new RegExp(`^cri-containerd-${ID}\\.scope$`)],
  ['cri-o', new RegExp(`^crio-${ID}(?:\\.scope)?$`)],
  // Containerd's own driver writes slice:prefix:id.
  ['containerd', new RegExp(`:cri-containerd:${ID}$`)],
  ['container', new RegExp(`^${ID}$`)],
];

/** Slices have no dashes inside of the uid; static pods have a hash without any. */
const POD =
  /(?:^|-)pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?(?=$|:)/;

export function cgroupName(path: string): CgroupName {
  const parts = path.split('/').filter((part) => part !== '');
  const pod = podOf(parts);
  for (let at = parts.length - 1; at >= 0; at--) {
    const part = parts[at]!;
    for (const [kind, pattern] of CONTAINERS) {
      const id = pattern.exec(part)?.[1];
      if (id === undefined) continue;
      const isDockers = kind === 'container' && parts[at - 1] === 'docker';
      return { kind: isDockers ? 'docker' : kind, name: id.slice(0, ID_SHOWN), pod };
    }
    const lxc = /^lxc\.payload\.(.+)$/.exec(part)?.[1] ?? (parts[at - 1] === 'lxc' ? part : undefined);
    if (lxc !== undefined) return { kind: 'lxc', name: lxc, pod };
    const machine = /^machine-(.+)\.scope$/.exec(part)?.[1];
    if (machine !== undefined) return { kind: 'machine', name: unescapedUnit(machine), pod };
    // A pod's own cgroup; its containers are below.
    if (pod !== null && at === parts.length - 1) return { kind: 'pod', name: pod, pod };
    if (/\.(?:service|scope|socket|mount|swap)$/.test(part)) return { kind: 'unit', name: unescapedUnit(part), pod };
  }
  const last = parts.at(-1);
  if (last?.endsWith('.slice') === true) return { kind: 'unit', name: unescapedUnit(last), pod };
  return { kind: 'cgroup', name: path, pod };
}

function podOf(parts: readonly string[]): string | null {
  for (const part of parts) {
    const uid = POD.exec(part)?.[1];
    if (uid !== undefined) return uid.replaceAll('_', '-');
  }
  return null;
}

/** systemd writes bytes that a name may not have as \x2d. */
function unescapedUnit(name: string): string {
  return name.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
