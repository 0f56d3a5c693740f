import { memoryStorage } from "../../src/storage/memory.js";
import { storageSuite } from "./storage-suite.js";

storageSuite("memoryStorage", memoryStorage);
