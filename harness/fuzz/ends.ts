/** Which processes have ended since the last look; those that came meanwhile are no trouble. A crash is found once, not with every case after it. */
export function createEnds(pids: () => readonly number[]): () => readonly number[] {
  let known = pids();
  return () => {
    const now = pids();
    const gone = known.filter((pid) => !now.includes(pid));
    known = now;
    return gone;
  };
}
