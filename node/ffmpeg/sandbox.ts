export interface Cage {
  name: 'bubblewrap';
  path: string;
}
