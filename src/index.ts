/** What a program that imports `revmap` sees. */
export {};
