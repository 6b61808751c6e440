// Ensures that moto is installed, the AWS endpoint of the tests: a server from PyPI. Prints the path of its Python.
import { join } from "node:path";
import { ensurePythonPackage } from "./python-environment.mjs";

const MOTO = "5.2.5";

const environment = ensurePythonPackage({
  name: `moto-${MOTO}`,
  what: `the tests of AWS need moto ${MOTO} from PyPI`,
  install: [`moto[server]==${MOTO}`],
});
console.log(join(environment, "bin", "python"));
