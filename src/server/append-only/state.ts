/* What the append-only file is doing: see append-only.ts. */

export const AofState = { OFF: 0, ON: 1, WAITING: 2 } as const
export type AofState = (typeof AofState)[keyof typeof AofState]
