/** SQL that appends a line to a note. The note stays as it is if it would become too long, or if the line is its last one already. */
export function withLine(note: string, line: string, max: string): string {
  return `case when right(${note}, char_length(${line}::text)) = ${line}::text or char_length(concat_ws(E'\\n', ${note}, ${line}::text)) > ${max}::int
            then ${note} else concat_ws(E'\\n', ${note}, ${line}::text) end`;
}
