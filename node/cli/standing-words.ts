import type { Standing } from '../core/standing.ts';

/** Where this machine stands, in one line for a terminal. `reached`: does the dashboard answer through it? */
export function standingLine(standing: Standing, node: { id: string }, reached: boolean): string {
  switch (standing.state) {
    case 'starting':
      return standing.doing ?? 'Starting.';
    case 'listening':
      return 'Looking for a cluster in this network.';
    case 'founding':
      return 'Starting a cluster of its own.';
    case 'restoring':
      return `Putting a backup back. ${standing.says}`;
    case 'asking':
      return `Asking to join ${standing.cluster?.name ?? 'a cluster'}.${standing.problem ? ` ${standing.problem}` : ''}`;
    case 'pending':
      return `Waiting to be let into ${standing.cluster.name}. Approve it on the Nodes page there if it shows the code ${standing.code}.`;
    case 'rejected':
      return `${standing.cluster.name} said no: ${standing.why}`;
    case 'revoked':
      return `Removed from ${standing.cluster.name}.`;
    case 'member':
      return memberLine(standing, node, reached);
  }
}

function memberLine(standing: Extract<Standing, { state: 'member' }>, node: { id: string }, reached: boolean): string {
  const { cluster, coordinator, version } = standing;
  if (coordinator && version?.state === 'apart') return `Part of ${cluster.name}. ${version.says}`;
  return [whereLine(cluster, coordinator, node, reached), version?.says].filter(Boolean).join(' ');
}

function whereLine(
  cluster: { name: string },
  coordinator: { node: string; name: string } | null,
  node: { id: string },
  reached: boolean,
): string {
  if (!coordinator) return `Part of ${cluster.name}. Nobody coordinates it right now; films that are being encoded go on.`;
  if (coordinator.node === node.id) return `Part of ${cluster.name}, and coordinates it.`;
  return reached
    ? `Part of ${cluster.name}, coordinated by ${coordinator.name}.`
    : `Part of ${cluster.name}. ${coordinator.name} coordinates it, but does not answer this machine; films that are being encoded go on.`;
}
