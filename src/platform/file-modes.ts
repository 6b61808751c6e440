/**
 * The modes of everything that Baram writes: nobody but the user that runs Baram needs to read it. They are given explicitly, since
 * a umask can only take rights away.
 */
export const FOLDER_MODE = 0o700;
export const FILE_MODE = 0o600;
