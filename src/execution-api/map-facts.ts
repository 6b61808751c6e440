import { elementsAt, type MapFacts, placesOf } from "../contracts/index.ts";
import type { DagCache } from "../scheduler/commands/index.ts";
import { type ElementRef, findElements, mapLengths, type StartedTry, type Store } from "../store/index.ts";

/** An existing try, or one that does not exist yet. */
export type MappedTry = Pick<StartedTry, "id" | "dagRunId" | "taskId" | "mapIndex" | "versionId">;

/**
 * By try id, what mapped tries need of the results they are mapped over: the lengths, which give the positions of their elements,
 * and only these elements. Two statements for a whole batch, none if no try of it is mapped over a result.
 */
export async function mapFactsOf(store: Store, dags: DagCache, started: readonly MappedTry[]): Promise<Map<string, MapFacts>> {
  const mapped = [];
  for (const one of started) {
    if (one.mapIndex < 0) continue;
    const { graph } = await dags.get(store, one.versionId);
    const facts = graph.mapped.get(graph.indexOf.get(one.taskId) ?? -1);
    if (!facts || facts.sources.length === 0) continue;
    const sources = facts.sources.flatMap((source) => graph.tasks[source]?.taskId ?? []);
    const isMapped = new Map(facts.sources.map((source) => [graph.tasks[source]?.taskId ?? "", graph.mapped.has(source)]));
    mapped.push({ one, mapping: facts.mapping, sources, isMapped });
  }
  const lengths = await mapLengths(
    store,
    mapped.flatMap(({ one, sources }) => sources.map((taskId) => ({ dagRunId: one.dagRunId, taskId }))),
  );
  const lengthOf = new Map(lengths.map(({ dagRunId, taskId, length }) => [`${dagRunId} ${taskId}`, length]));
  const placed = mapped.map(({ one, mapping, sources, isMapped }) => {
    const of = (taskId: string) => lengthOf.get(`${one.dagRunId} ${taskId}`) ?? (isMapped.get(taskId) ? 0 : null);
    const refs = (placesOf(mapping, one.mapIndex, of) ?? []).flatMap(elementsAt);
    const known = sources.flatMap((taskId) => {
      const length = of(taskId);
      return length === null ? [] : [{ taskId, length }];
    });
    return { one, lengths: known, refs: refs.map((ref): ElementRef => ({ dagRunId: one.dagRunId, ...ref })) };
  });
  const found = new Map(
    (
      await findElements(
        store,
        placed.flatMap(({ refs }) => refs),
      )
    ).map((element) => [nameOf(element), element]),
  );
  return new Map(
    placed.map(({ one, lengths: known, refs }) => {
      const elements = refs.flatMap((ref) => found.get(nameOf(ref)) ?? []);
      return [one.id, { lengths: known, elements: elements.map(({ taskId, index, value }) => ({ taskId, index, value })) }];
    }),
  );
}

const nameOf = ({ dagRunId, taskId, index }: ElementRef) => `${dagRunId} ${taskId} ${index}`;
