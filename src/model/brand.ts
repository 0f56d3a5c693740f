/**
 * Marks an object as one of a class of ours for every copy of the library: a process that loads it with both `import`
 * and `require` has two of each class, and what one of them makes is no instance of the other.
 */
export function brand(made: object, className: string): void {
  Object.defineProperty(made, Symbol.for(`tollgate.${className}`), { value: true });
}

/** Whether some copy of the library has made it by a class of that name. */
export function hasBrand(value: unknown, className: string): boolean {
  return Object(value)[Symbol.for(`tollgate.${className}`)] === true;
}
