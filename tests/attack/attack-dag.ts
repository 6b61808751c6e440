/** DAGs of an author who attacks the platform. */
import { appendFileSync, chmodSync, existsSync, readdirSync, readFileSync, rmSync, symlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { chain, dag, param, task } from "baram";
import { BashOperator } from "baram/operators";

function frame(text: string): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(Buffer.byteLength(text));
  return Buffer.concat([head, Buffer.from(text)]);
}

export const wire = dag({ dagId: "attack_wire", schedule: null }, () => {
  const forge = task({ taskId: "forge" }, async (ctx, text: string) => {
    writeSync(3, frame(text));
    await ctx.sleep("5s");
  });
  forge.expand(["null", '{"type":"log"}', '{"type":"outcome","outcome":null}', '{"type":"idle"}', "{"]);
});

export const fine = dag({ dagId: "attack_fine", schedule: null }, () => {
  task({ taskId: "work" }, () => 1)();
});

export const log = dag({ dagId: "attack_log", schedule: null }, () => {
  task({ taskId: "link" }, async (ctx) => {
    ctx.logger.info("before");
    await ctx.sleep("500ms");
    const home = String(ctx.conf.home);
    for (const name of readdirSync(join(home, "logs"), { recursive: true, encoding: "utf8" })) {
      if (!name.includes(ctx.run.runId) || !name.endsWith(".log")) continue;
      rmSync(join(home, "logs", name));
      symlinkSync(join(home, "jwt_secret"), join(home, "logs", name));
    }
    ctx.logger.info("after");
  })();
});

export const environment = dag({ dagId: "attack_environment", schedule: null }, () => {
  task({ taskId: "look" }, (ctx) => {
    ctx.logger.info(JSON.stringify(process.env));
    return { ...process.env } as Record<string, string>;
  })();
});

export const secrets = dag({ dagId: "attack_secrets", schedule: null }, () => {
  const tell = task({ taskId: "tell", retries: 0 }, async (ctx) => {
    const { password, login } = await ctx.connection("attacked");
    const secret = password ?? "";
    (globalThis as { kept?: string }).kept = secret;
    const told = [
      secret,
      JSON.stringify({ secret }),
      encodeURIComponent(secret),
      String(new URLSearchParams({ secret })),
      `Basic ${Buffer.from(`${login}:${secret}`).toString("base64")}`,
      Buffer.from(secret).toString("hex"),
      Buffer.from(secret).toString("base64url"),
    ];
    for (const text of told) {
      ctx.logger.info(text, { text, nested: [{ text }] });
      console.log(text);
    }
    throw new Error(told.join(" "));
  });
  const again = task({ taskId: "tell_again", triggerRule: "all_done" }, (ctx) => {
    ctx.logger.info(`the next task: ${(globalThis as { kept?: string }).kept} ***`);
  });
  chain(tell(), again());
  new BashOperator({ taskId: "rendered", bashCommand: "true {{ conn.attacked.password }}" });
});

export const template = dag({ dagId: "attack_template", schedule: null }, () => {
  const render = task({ taskId: "render" }, (ctx, text: string) => ctx.logger.info(`rendered: ${text}`));
  const templates = [
    '{{ x"^Function`throw\\x20process\\x2eversion```^"y }}',
    "{{ ''.constructor.constructor('return process.version')() }}",
    "{{ params.constructor.constructor('return process.version')() }}",
    "{{ range.constructor('return process.version')() }}",
    "{{ ds.__proto__.constructor.constructor('return process.version')() }}",
    "{% for x in range(1000000000) %}x{% endfor %}",
  ];
  for (const [at, text] of templates.entries()) render.override({ taskId: `render_${at}` })(text);
});

export const pattern = dag(
  { dagId: "attack_pattern", schedule: null, params: { name: param("a", { schema: { type: "string", pattern: "^(a+)+$" } }) } },
  () => {
    task({ taskId: "work" }, () => 1)();
  },
);

export const proc = dag({ dagId: "attack_proc", schedule: null }, () => {
  task({ taskId: "grep" }, (ctx) => {
    const marker = String(ctx.conf.marker);
    const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
    const found = pids.filter((pid) => {
      try {
        // The process that started the server has its environment from the attacker.
        return readFileSync(`/proc/${pid}/environ`, "latin1").includes(marker);
      } catch {
        return false;
      }
    });
    ctx.logger.info(`found ${found.length} of ${pids.length}`);
  })();
});

export const cache = dag({ dagId: "attack_cache", schedule: null }, () => {
  task({ taskId: "change" }, (ctx) => {
    const folder = join(String(ctx.conf.home), "cache", "modules");
    if (!existsSync(folder)) throw new Error(`there is no ${folder}`);
    for (const name of readdirSync(folder)) {
      const path = join(folder, name, "dag.mjs");
      if (!existsSync(path)) continue;
      chmodSync(path, 0o600);
      appendFileSync(path, '\nconsole.log("changed code ran");\n');
    }
  })();
});

export const fresh = dag({ dagId: "attack_fresh", schedule: null }, () => {
  // The process that has the module loaded ends, so that the next task loads it again.
  const end = task({ taskId: "end" }, () => void process.kill(process.pid, "SIGKILL"));
  const work = task({ taskId: "work", triggerRule: "all_done" }, (ctx) => ctx.logger.info("the code as it was"));
  chain(end(), work());
});
