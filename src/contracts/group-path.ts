type Group = { readonly groupId: string; readonly parentGroupId: string | null };

/**
 * Lists a task group and the groups around it, the innermost first. Ends where the parents are a circle: a DAG that was stored before
 * circles were refused must not stop everybody who looks at it.
 */
export function createGroupPath(groups: readonly Group[]): (groupId: string | null) => string[] {
  const parentOf = new Map(groups.map((group) => [group.groupId, group.parentGroupId]));
  return (groupId) => {
    const path = new Set<string>();
    for (let at = groupId; at !== null && !path.has(at); at = parentOf.get(at) ?? null) path.add(at);
    return [...path];
  };
}
