/** Capacity units as AWS counts them (documentation of Application and Network Load Balancers). Pure. */

export type Load = {
  readonly newConnectionsPerSecond: number;
  readonly activeConnections: number;
  readonly bytesPerSecond: number;
  /** HTTP listeners only. */
  readonly requestsPerSecond?: number;
  readonly rules?: number;
};

const gigabyte = 1e9;
const secondsPerHour = 3600;
const freeRules = 10;

/** LCU = max(new connections/s ÷ 25, active ÷ 3,000, GB/h, (rules − 10) · requests/s ÷ 1,000). */
export function lcuOf({ newConnectionsPerSecond, activeConnections, bytesPerSecond, requestsPerSecond = 0, rules = 0 }: Load): number {
  return Math.max(
    newConnectionsPerSecond / 25,
    activeConnections / 3000,
    (bytesPerSecond * secondsPerHour) / gigabyte,
    (Math.max(0, rules - freeRules) * requestsPerSecond) / 1000,
  );
}

/** NLCU of a TCP listener = max(new connections/s ÷ 800, active ÷ 100,000, GB/h). */
export function nlcuOf({ newConnectionsPerSecond, activeConnections, bytesPerSecond }: Load): number {
  return Math.max(newConnectionsPerSecond / 800, activeConnections / 100_000, (bytesPerSecond * secondsPerHour) / gigabyte);
}
