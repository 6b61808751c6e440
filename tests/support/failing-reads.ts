import { type FileReads, fileReads } from "../../src/dag-files/file-reads.ts";

/**
 * File system reads that fail with these errnos, by path (the source of a RegExp). Tests may run as root, which is never denied
 * access.
 */
export function failingReads(faults: Record<string, string>): FileReads {
  const refuse = (path: string) => {
    const errno = Object.entries(faults).find(([pattern]) => new RegExp(pattern).test(path))?.[1];
    return errno === undefined
      ? null
      : Promise.reject(Object.assign(new Error(`${errno}: a reason, open '${path}'`), { code: errno, path }));
  };
  return {
    list: (path) => refuse(path) ?? fileReads.list(path),
    read: (path) => refuse(path) ?? fileReads.read(path),
    realpath: (path) => refuse(path) ?? fileReads.realpath(path),
    stat: (path) => refuse(path) ?? fileReads.stat(path),
  };
}
