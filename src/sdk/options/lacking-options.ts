/**
 * Options of Airflow's DAGs and tasks that Baram does not have, in lower case without `_`, and what to do instead. "Unknown option"
 * alone would not tell someone who moves a DAG here where its rights or its macros went.
 */
const TEMPLATES =
  "an option of Airflow; templates have the filters and macros that docs/dag-authoring.md lists, compute others in a task";
const NO_ASSETS = "an option of Airflow; Baram has no assets";
const NO_SLA = "an option of Airflow; limit a task by executionTimeout and a run by dagrunTimeout";
const DOCS = "an option of Airflow; use docMd";
const TEXTS = 'an option of Airflow; import text files instead, as in import sql from "./query.sql"';
const NATIVE = 'an option of Airflow; write template<number>("{{ … }}") for a value that is not a text';
const WHO = "an option of Airflow; the operator of the installation sets the user by [workers] run_as_user_of_dags";
const TRY_HOOK = "an option of Airflow; use onExecute, onSuccess or onFailure";

export const LACKING_OF_DAGS: Readonly<Record<string, string>> = {
  accesscontrol: "an option of Airflow; a user's role counts for all DAGs, see docs/production.md",
  runasuser: WHO,
  rendertemplateasnativeobj: NATIVE,
  userdefinedmacros: TEMPLATES,
  userdefinedfilters: TEMPLATES,
  jinjaenvironmentkwargs: TEMPLATES,
  templateundefined: "an option of Airflow; an unknown name in a template always fails the try",
  templatesearchpath: TEXTS,
  slamisscallback: NO_SLA,
  deadline: NO_SLA,
  defaultview: "an option of Airflow's pages",
  orientation: "an option of Airflow's pages",
  ownerlinks: "an option of Airflow's pages",
  autoregister: "an option of Airflow; every dag() of a file is a DAG",
  fullfilepath: "an option of Airflow; the file of a DAG is known",
  fileloc: "an option of Airflow; the file of a DAG is known",
  disablebundleversioning: "an option of Airflow; a run keeps the version that it started with",
  allowedruntypes: "an option of Airflow; every DAG can be triggered and backfilled by users with the role for it",
};

export const LACKING_OF_TASKS: Readonly<Record<string, string>> = {
  runasuser: WHO,
  rendertemplateasnativeobj: NATIVE,
  params: "an option of DAGs in Baram; give values to a task as arguments",
  sla: NO_SLA,
  inlets: NO_ASSETS,
  outlets: NO_ASSETS,
  resources: "an option of Airflow; an executor's own options are in executorConfig",
  docjson: DOCS,
  docyaml: DOCS,
  docrst: DOCS,
  preexecute: TRY_HOOK,
  postexecute: TRY_HOOK,
  allownestedoperators: "an option of Airflow; a task cannot make tasks",
  loggername: "an option of Airflow; ctx.logger writes to the task's log",
  templatefields: "an option of Airflow; a class has them as static templateFields",
  templateext: TEXTS,
  pythoncallable: "an option of Airflow; task({ taskId }, function) makes a task of a function",
  opargs: "an option of Airflow; call the task with its arguments",
  opkwargs: "an option of Airflow; call the task with its arguments",
  providecontext: "an option of Airflow; the context is the first argument of a task's function",
  retrypolicy: "an option of Airflow; throw a FailError to end the retries",
  startfromtrigger: "an option of Airflow; a sensor with the mode deferrable leaves its waiting to the triggerer",
  starttriggerargs: "an option of Airflow; a sensor with the mode deferrable leaves its waiting to the triggerer",
  subdag: "an option of Airflow; use taskGroup() or a TriggerDagRunOperator",
};

/** A class that does not say its options may have any of the names above, but none of them must seem to change the user. */
export const LACKING_OF_OPEN_CLASSES: Readonly<Record<string, string>> = { runasuser: WHO };
