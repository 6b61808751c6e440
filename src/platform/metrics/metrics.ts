import type { CounterName, GaugeName, LabelsOf, MetricName, TimerName } from "./metric-table.ts";

/** All series of a gauge at one moment: a series that is missing here no longer exists. */
export type Reading<N extends MetricName> = { readonly labels: LabelsOf<N>; readonly value: number };

/**
 * The interface through which parts emit metrics. Nothing here throws, waits or fails: a metric must never stop other work. Only
 * metrics of the metric table can be named.
 */
export type Metrics = {
  count<N extends CounterName>(name: N, labels: LabelsOf<N>, by?: number): void;
  gauge<N extends GaugeName>(name: N, readings: readonly Reading<N>[]): void;
  /** `sec`: seconds. */
  time<N extends TimerName>(name: N, labels: LabelsOf<N>, sec: number): void;
};

export const silentMetrics: Metrics = { count() {}, gauge() {}, time() {} };

/** Seconds since `startMs` (from `performance.now()`), for `time`. */
export function secondsSince(startMs: number): number {
  return (performance.now() - startMs) / 1_000;
}
