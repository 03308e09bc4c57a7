export interface ErrorView {
  status: number;
  title: string;
  message: string;
  todo: string;
  requestId: string;
}
