/** Faults that the rig injects into requests, and how often it did: a test whose fault never fired proves nothing. */

export type AwsError = { status: number; type: string; message: string };

export const THROTTLED: AwsError = { status: 400, type: "ThrottlingException", message: "Rate exceeded" };
export const EXPIRED: AwsError = {
  status: 400,
  type: "ExpiredTokenException",
  message: "The security token included in the request is expired",
};
export const UNAVAILABLE: AwsError = { status: 503, type: "ServerException", message: "Service Unavailable" };
export const denied = (action: string): AwsError => ({
  status: 400,
  type: "AccessDeniedException",
  message: `User: arn:aws:sts::123456789012:assumed-role/scheduler/i-0 is not authorized to perform: ${action}`,
});

export type Fault =
  /** Answered with an error, without being executed. */
  | { kind: "error"; error: AwsError }
  /** Executed, and then the connection is closed without an answer. */
  | { kind: "cut" }
  /** Answered with this body, without being executed. */
  | { kind: "answer"; body: object }
  /** Executed, and the answer is delayed until the gate opens. */
  | { kind: "hold"; gate: { pass(): Promise<void> } }
  /** A message that is accepted and lost, or sent twice. */
  | { kind: "lose" }
  | { kind: "double" };

export type Faults = {
  /** If set, every other action is refused, as by a role with these permissions, e.g. "RunTask" and "PassRole". */
  allowedActions: readonly string[] | null;
  /** The next `times` requests of an action, e.g. "RunTask", get the fault. */
  next(action: string, fault: Fault, times?: number): void;
  take(action: string): Fault | null;
  /** How often faults of this action fired. */
  fired(action: string): number;
  clear(): void;
};

export function createFaults(): Faults {
  const planned = new Map<string, { fault: Fault; times: number }[]>();
  const counts = new Map<string, number>();
  const self: Faults = {
    allowedActions: null,
    next(action, fault, times = 1) {
      planned.set(action, [...(planned.get(action) ?? []), { fault, times }]);
    },
    take(action) {
      const list = planned.get(action) ?? [];
      const first = list.find(({ times }) => times > 0);
      if (!first) return null;
      first.times--;
      counts.set(action, (counts.get(action) ?? 0) + 1);
      return first.fault;
    },
    fired: (action) => counts.get(action) ?? 0,
    clear() {
      planned.clear();
      counts.clear();
      self.allowedActions = null;
    },
  };
  return self;
}
