/**
 * What ECS says when it has no room: instances without enough of a resource (RESOURCE:CPU, RESOURCE:MEMORY, RESOURCE:ENI …) or without
 * their agent, Fargate and Spot without capacity, a capacity provider that has not scaled out yet, and the account's limit of tasks or
 * vCPUs. All of these end by themselves, when another task ends or an instance starts.
 */
const LACKS =
  /\bRESOURCE:[A-Z]+|(?:^|; )AGENT\b|capacity is unavailable|insufficient capacity|no container instances were found|empty capacity provider|reached the limit on the number of|SpotInterruption/i;

export function lacksCapacity(reason: string): boolean {
  return LACKS.test(reason);
}
