/**
 * Longest head of a request: request line and fields, in bytes. uWebSockets.js takes a head that
 * arrives in one piece whatever its size below 512 KiB, and one in several pieces up to the bound
 * that its environment names; so both the parent process and the listener need this number.
 */
export const HEAD_BYTES_MAX = 32_768

/** Read by uWebSockets.js when it is loaded; 4,096 bytes unless it is set. */
export const HEAD_BYTES_VARIABLE = 'UWS_HTTP_MAX_HEADERS_SIZE'
