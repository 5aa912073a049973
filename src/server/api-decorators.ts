/*
 * The decorators of @nestjs/swagger, carried out when the document is made: its 530 modules are then loaded, and not at the start. Routes of
 * the service use these; routes of other applications may use the package's own.
 */

type Swagger = typeof import('@nestjs/swagger');

type DecoratorName = Extract<keyof Swagger, `Api${string}`>;

/** On a class, a method or a property. */
type Decorator = (target: object, key?: string | symbol, descriptor?: TypedPropertyDescriptor<unknown>) => unknown;

const pending: ((swagger: Swagger) => void)[] = [];

/** A decorator that is made, and applied, when the document is. */
export function whenDocumented(
  make: (swagger: Swagger) => Decorator,
): ClassDecorator & MethodDecorator & PropertyDecorator {
  return (target: object, key?: string | symbol) => {
    pending.push((swagger) => {
      const descriptor = key === undefined ? undefined : Object.getOwnPropertyDescriptor(target, key);
      make(swagger)(target, key, descriptor);
    });
  };
}

/** Loads the package, and carries out the decorators of all classes that are loaded by now. */
export async function loadSwagger(): Promise<Swagger> {
  const swagger = await import('@nestjs/swagger');
  for (const decorate of pending.splice(0)) decorate(swagger);
  return swagger;
}

function deferred<Name extends DecoratorName>(name: Name): Swagger[Name] {
  const factory = (...options: unknown[]) =>
    whenDocumented((swagger) => (swagger[name] as (...options: unknown[]) => Decorator)(...options));
  return factory;
}

export const ApiBearerAuth = deferred('ApiBearerAuth');
export const ApiExcludeController = deferred('ApiExcludeController');
export const ApiExcludeEndpoint = deferred('ApiExcludeEndpoint');
export const ApiExtraModels = deferred('ApiExtraModels');
export const ApiHeader = deferred('ApiHeader');
export const ApiOkResponse = deferred('ApiOkResponse');
export const ApiOperation = deferred('ApiOperation');
export const ApiParam = deferred('ApiParam');
export const ApiProduces = deferred('ApiProduces');
export const ApiProperty = deferred('ApiProperty');
export const ApiPropertyOptional = deferred('ApiPropertyOptional');
export const ApiQuery = deferred('ApiQuery');
export const ApiResponse = deferred('ApiResponse');
export const ApiTags = deferred('ApiTags');
