import { Injectable, type PipeTransform } from '@nestjs/common';
import { parseAccountName } from './account-name';

@Injectable()
export class AccountNamePipe implements PipeTransform<unknown, string> {
  transform(value: unknown): string {
    return parseAccountName(value);
  }
}
