import { describe, expect, it } from "vitest";
import { define, failureOf, type RunOne, returnValue, runOneTask } from "../../../../tests/support/run-one-task.ts";
import { BaseOperator, task, template } from "../../../sdk/index.ts";

const connection = {
  connId: "db",
  connType: "postgres",
  description: null,
  host: "db.local",
  schema: "sales",
  login: "u",
  password: "p",
  port: 5432,
  extra: { ssl: true },
};
const platform: RunOne = {
  variables: { plain: "v", "my.var": "dotted", json: '{"a":{"b":[1,2]}}' },
  connections: { db: connection },
  xcoms: { "up.return_value": { rows: 3 }, "up.other": "o" },
  dagRun: { conf: { name: "Grace", evil: "{{ var.value.plain }}" } },
};

async function run(source: unknown, options: RunOne = platform) {
  return runOneTask(
    define(() => void task({ taskId: "t" }, (_ctx, value: unknown) => value)(source)),
    options,
  );
}
const render = async (source: string, options?: RunOne) => returnValue((await run(source, options)).outcome);
const renderError = async (source: string, options?: RunOne) => failureOf((await run(source, options)).outcome).error.message;

describe("templates", () => {
  it.each([
    ["{{ ds }} {{ ds_nodash }} {{ ts }} {{ ts_nodash }}", "2024-01-31 20240131 2024-01-31T00:00:00+00:00 20240131T000000"],
    ["{{ logical_date }} {{ data_interval_start.strftime('%d/%m/%Y %H:%M') }}", "2024-01-31T00:00:00+00:00 30/01/2024 00:00"],
    [
      "{{ logical_date.subtract(hours=9).in_timezone('Asia/Seoul') | ds }} {{ logical_date.subtract(hours=9) | ds }}",
      "2024-01-31 2024-01-30",
    ],
    ["{{ data_interval_end.add(days=1).in_timezone('Asia/Seoul').isoformat() }}", "2024-02-01T09:00:00+09:00"],
    [
      "{{ (logical_date | ds) }} {{ macros.ds_add(ds, 1) }} {{ macros.ds_format(ds, '%Y-%m-%d', '%d %B') }}",
      "2024-01-31 2024-02-01 31 January",
    ],
    ["{{ run_id }} {{ dag.dag_id }} {{ task.task_id }} {{ ti.try_number }} {{ map_index }}", "manual__1 d t 1 -1"],
    [
      "{{ params.name }} {{ conf.name }} {{ dag_run.conf.get('name') }} {{ dag_run.conf.get('x', 'none') }}",
      "Grace Grace Grace none",
    ],
    [
      "{{ var.value.plain }} {{ var.json.json.a.b[1] }} {{ var.value.get('my.var') }} {{ var.value.get('no', 'd') }}",
      "v 2 dotted d",
    ],
    ["{{ conn.db.host }}:{{ conn.db.port }}/{{ conn.db.schema }}?{{ conn.db.extra_dejson.ssl }}", "db.local:5432/sales?true"],
    ["{{ ti.xcom_pull(task_ids='up') }} {{ task_instance.xcom_pull('up', key='other') }}", '{"rows":3} o'],
    ["{{ ti.xcom_pull(task_ids=['up', 'no'])[0].rows }} {{ ti.xcom_pull('no') }}", "3 null"],
    ["{% for k, v in params.nested.items() %}{{ k }}={{ v }}{% endfor %} {{ 'a,b'.split(',')[1].upper() }}", "key=v B"],
    [
      "{% if missing is defined %}x{% else %}y{% endif %} {{ missing | default('z') }} {{ params | tojson | length > 2 }}",
      "y z true",
    ],
    ["{% set x = params.limit * 2 %}{{ x }} {{ params.name | upper }}", "6 GRACE"],
    [
      "{{ var.value.get('no', default_var='fb') }} {{ var.value.get('no', default='fb') }} {{ var.json.get('no', default_var={'k': 'd'}).k }} {{ var.value.get('plain', 'x') }}",
      "fb fb d v",
    ],
    [
      "{{ conn.get('no', default_conn='x') }} {{ conn.get('db').host }} {{ conn.get('no', none) }} {{ var.value.get('no') | default('z') }}",
      "x db.local null z",
    ],
    [
      "{{ params.get('z', 'd') }} {{ dag_run.conf.get('n', 'x') }} {{ params.get('name') }} {{ conf.get('name', 'x') }}",
      "d x Grace Grace",
    ],
    [
      "{{ macros.json.dumps({'b': 1, 'a': {'d': 1, 'c': 2}}, sort_keys=True) }} {{ macros.json.dumps({'b': 1}, indent=2) }}",
      '{"a":{"c":2,"d":1},"b":1} {\n  "b": 1\n}',
    ],
    [
      "{{ macros.ds_add(ds=ds, days=1) }} {{ macros.ds_format(ds, input_format='%Y-%m-%d', output_format='%d') }}",
      "2024-02-01 31",
    ],
    [
      "{{ logical_date | ts_nodash }} {{ logical_date | ts_nodash_with_tz }} {{ logical_date | ds_nodash }} {{ logical_date.add(microseconds=5000) | ts_nodash_with_tz }}",
      "20240131T000000 20240131T000000+0000 20240131 20240131T000000+0000",
    ],
    [
      "{{ logical_date.add(days=-26, hours=3).strftime('%-d %-m %-H %e %W %U %V %G %u %w %j %F %T %s') }} {{ logical_date.strftime(format='%c') }}",
      "5 1 3  5 01 00 01 2024 5 5 005 2024-01-05 03:00:00 1704423600 Wed Jan 31 00:00:00 2024",
    ],
    [
      "{{ (logical_date + macros.timedelta(days=1)) | ds }} {{ (logical_date - macros.timedelta(days=1, hours=2)).strftime('%d %H') }} {{ macros.datetime(2024, 1, 2).strftime('%Y/%m/%d') }}",
      "2024-02-01 29 22 2024/01/02",
    ],
    [
      "{{ (data_interval_end - data_interval_start).total_seconds() }} {{ (logical_date - macros.datetime(2024, 1, 1)).days }} {{ macros.timedelta(days=1, hours=2) }} {{ macros.timedelta(hours=-1) }} {{ macros.timedelta(days=1) * 2 }} {{ macros.timedelta(days=1) / macros.timedelta(hours=6) }}",
      "86400 30 1 day, 2:00:00 -1 day, 23:00:00 2 days, 0:00:00 4",
    ],
    [
      "{{ logical_date.replace(day=1) | ds }} {{ logical_date.replace(year=2023, month=12, hour=5) | ts }} {{ logical_date.isoweekday() }} {{ logical_date.isocalendar()[1] }} {{ logical_date.add(days=1).day }}",
      "2024-01-01 2023-12-31T05:00:00+00:00 3 5 1",
    ],
    [
      "{{ logical_date > data_interval_start }} {{ logical_date == data_interval_end }} {{ logical_date == logical_date.in_tz('Asia/Seoul') }} {{ logical_date == ds }} {{ logical_date == logical_date.add(days=1) }}",
      "true true true false false",
    ],
    [
      "{{ '{:%Y/%m}'.format(logical_date) }} {{ '%s' % logical_date }} {{ var.value | attr('plain') }}",
      "2024/01 2024-01-31T00:00:00+00:00 v",
    ],
    [
      "{{ ti.xcom_pull(task_ids='up', map_indexes=[-1])[0].rows }} {{ ti.xcom_pull('up', none, 'other') }} {{ ti.xcom_pull('no', default='d') }}",
      "3 o d",
    ],
    ["<b>&'\"</b>{{ '<' }}", "<b>&'\"</b><"],
    ["no template { here }", "no template { here }"],
  ])("%s → %s", async (source, expected) => {
    expect(await render(source)).toBe(expected);
  });

  it("ask for each variable, connection and XCom once, however often it is used", async () => {
    const { asked } = await run(
      ["{{ var.value.plain }}{{ var.value.plain }}", "{{ var.value.plain }}{{ conn.db.host }}{{ conn.db.login }}"].join(""),
    );
    expect(asked.map((each) => each.method)).toEqual(["getVariable", "getConnection"]);
  });

  it("never render what data holds", async () => {
    expect(await render("{{ params.evil }}")).toBe("{{ var.value.plain }}");
  });

  it.each([
    ["{{ foo }}", "'foo' is undefined"],
    ["{{ params.inptu }}", "'params.inptu' is undefined"],
    ["{{ foo.bar }}", "'foo' is undefined, so it has no 'bar'"],
    ["{{ params.nested.x.y }}", "'params.nested.x' is undefined, so it has no 'y'"],
    ["{{ foo | upper }}", "undefined"],
    ["{% for x in foo %}{% endfor %}", "'foo' is undefined"],
    ["{{ var.value.absent }}", "'var.value.absent' is undefined"],
    ["{{ conn.absent.host }}", "'conn.absent' is undefined"],
    ["{{ var.value.absent }}", 'set it with "baram variables set absent VALUE"'],
    ["{{ conn.absent.host }}", 'add it with "baram connections add absent"'],
    ["{{ params.inptu }}", "declare inptu in the DAG's params"],
    ["{{ execution_date }}", "'execution_date' is undefined (it is called logical_date)"],
    ["{{ prev_ds }}", "macros.ds_add(ds, -1)"],
    ["{{ tomorrow_ds_nodash }}", "logical_date.add(days=1)"],
    ["{{ prev_data_interval_start_success }}", "earlier runs are not available in templates"],
    ["{{ ti.nope() }}", "'ti.nope' is called"],
    ["{{ ds + macros.timedelta(days=1) }}", "'+' needs a number, not \"2024-01-31\""],
    ["{{ logical_date > '2024' }}", "a date has its text in | ds and | ts"],
    ["{{ logical_date.replace(day=32) }}", "replace(): there is no such date"],
    ["{{ logical_date.replace(month=2) }}", "replace(): there is no such date"],
    ["{{ macros.datetime(2024, 2, 30) }}", "macros.datetime(): there is no such date"],
    ["{{ macros.datetime.fromisoformat('x') }}", '"x" is not a date as 2026-01-31'],
    ["{{ macros.json.loads('{') }}", "macros.json.loads()"],
    ["{{ macros.json.dumps({}, default=1) }}", "macros.json.dumps() has no parameter 'default'"],
    ["{{ logical_date.add(1) | ds }}{{ logical_date.add(day=1) }}", "logical_date.add() has no parameter 'day'"],
    ["{{ logical_date.strftime() }}", "logical_date.strftime() lacks 'format'"],
    ["{{ logical_date.format('YYYY') }}", "write a date with .strftime('%Y-%m-%d')"],
    ["{{ logical_date.start_of('fortnight') }}", "a date starts and ends by year"],
    ["{{ macros.ds_add(ds) }}", "macros.ds_add() lacks 'days': it takes (ds, days)"],
    ["{{ macros.ds_add(ds, 'x') }}", "macros.ds_add() needs a number"],
    ["{{ var.value.get('no', fallback='x') }}", "var.value.get() has no parameter 'fallback': it takes (key, default=None)"],
    ["{{ var.value.get('no') }}", "'var.value.no' is undefined (set it with"],
    ["{{ conn.get('no').host }}", "'conn.no' is undefined"],
    ["{{ params.get('z', default='d') }}", "params.get() has no parameter 'default'"],
    ["{{ dag_run.conf.get('z', default='d') }}", "dag_run.conf.get() has no parameter 'default'"],
    [
      "{{ conf.get('core', 'dags_folder') }}",
      "conf is the conf of the run here, as in dag_run.conf, and not Airflow's configuration",
    ],
    ["{{ conf.getint('core', 'parallelism') }}", "conf is the conf of the run here"],
    [
      "{{ ti.xcom_pull('up', map_index=1) }}",
      "ti.xcom_pull() has no parameter 'map_index': it takes (task_ids=None, dag_id=None",
    ],
    ["{{ ti.xcom_pull('up', none, 'k', false, 1) }}", "ti.xcom_pull() is given 5 arguments"],
    ["{{ ti.xcom_pull('up', key=['k']) }}", "key must be a text, not a list"],
    ["{{ ti.xcom_pull('up', map_indexes='1') }}", "map_indexes must be numbers"],
    ["{{ macros.uuid.uuid4() }}", "macros.uuid is Python's: make it in the task"],
    ["{{ macros.time }}", "'macros.time' is undefined (macros.time is Python's"],
    ["{{ macros.ds_ad(ds, 1) }}", "the macros are ds_add, ds_format, datetime, timedelta and json"],
    ["{{ macros.datetime.now() }}", "'macros.datetime.now' is called"],
    ["a\n{{ foo }}", "line 2: 'foo' is undefined"],
    ["{{ ds", "syntax error"],
    ["{{ var.value }}", "without a name"],
    ["{% include 'x' %}", "template not found"],
  ])("fail by name, field and template: %s", async (source, message) => {
    const error = await renderError(source);
    expect(error).toContain(message);
    expect(error).toContain("template field args[0]");
    expect(error).toContain(JSON.stringify(source));
  });

  it("fail by name for a run without logical date", async () => {
    expect(await renderError("{{ ds }}", { dagRun: { logicalDate: null } })).toContain(
      "'ds' is undefined (this run was triggered without a logical date: trigger it with one",
    );
  });

  it.each([
    "{{ ''.constructor }}",
    "{{ params.constructor }}",
    "{{ params['__proto__'] }}",
    "{{ ''.constructor.constructor('return process')() }}",
    "{{ range.constructor('return 1')() }}",
    "{{ ti.xcom_pull.call }}",
    "{{ [].map.constructor }}",
    "{{ cycler.prototype }}",
    "{{ params.toString }}",
    "{{ process.env }}",
    "{{ globalThis }}",
    "{{ logical_date.constructor }}",
    "{{ (params | groupby('constructor')).x }}",
  ])("reach no constructor, prototype or global: %s", async (source) => {
    expect((await run(source)).outcome.state).toBe("failed");
  });

  it("give native values through template()", async () => {
    const native = async (source: string) => returnValue((await run(template(source))).outcome);
    expect(await native("{{ params.limit }}")).toBe(3);
    expect(await native(" {{ ti.xcom_pull('up') }} ")).toEqual({ rows: 3 });
    expect(await native("[{{ params.limit }}, 4]")).toEqual([3, 4]);
    expect(await native("n{{ params.limit }}")).toBe("n3");
  });

  it("are rendered at every depth of declared fields, and a field may be a function of the context", async () => {
    class Copy extends BaseOperator<{ env: Record<string, string[]>; note: string; raw: string }, unknown, "env" | "note"> {
      static override readonly templateFields = ["env", "note"];
      async execute() {
        return { env: this.options.env, note: this.options.note, raw: this.options.raw };
      }
    }
    const definition = define(() => {
      new Copy({ taskId: "t", env: { A: ["{{ ds }}"] }, note: async (ctx) => `run ${ctx.run.runId}`, raw: "{{ ds }}" });
    });
    const { outcome } = await runOneTask(definition);
    expect(returnValue(outcome)).toEqual({ env: { A: ["2024-01-31"] }, note: "run manual__1", raw: "{{ ds }}" });
    expect(outcome).toMatchObject({ renderedFields: { env: { A: ["2024-01-31"] }, note: "run manual__1" } });
  });
});
