// Before each file of tests: English words, as a page has words before it is drawn.
import { language } from '../language.svelte';

await language.begin();
