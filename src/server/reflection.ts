import type { DescFile, DescService, MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import {
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponseSchema,
} from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import {
  type ServerReflectionRequest as AlphaRequest,
  type ServerReflectionResponseSchema as AlphaResponseSchema,
  ServerReflection as AlphaServerReflection,
} from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { type DescriptorIndex, indexDescriptors } from "./descriptor-index.ts";

type Answer = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"]>;
type AlphaResponse = MessageInitShape<typeof AlphaResponseSchema>;

/** Requests on one stream. A client that walks a whole schema needs some dozens; an answer is far larger than its request. */
const maxRequestsPerStream = 1000;

/**
 * Registers gRPC server reflection, v1 and v1alpha, for the given services and for itself. `otherFiles` hold messages that no method
 * names, such as the details of errors. What is not there is a NOT_FOUND answer on a
 * stream that goes on; a stream with more than 1000 requests ends with RESOURCE_EXHAUSTED.
 */
export function createReflection(services: readonly DescService[], otherFiles: readonly DescFile[] = []): (router: ConnectRouter) => void {
  const index = indexDescriptors([...services, ServerReflection, AlphaServerReflection], otherFiles);

  async function* answerAll(requests: AsyncIterable<ServerReflectionRequest>) {
    let count = 0;
    for await (const request of requests) {
      count += 1;
      if (count > maxRequestsPerStream) throw new ConnectError("too many requests on one stream", Code.ResourceExhausted);
      yield { validHost: request.host, originalRequest: request, messageResponse: answerOne(index, request.messageRequest) };
    }
  }

  return (router) => {
    router.service(ServerReflection, { serverReflectionInfo: answerAll });
    router.service(AlphaServerReflection, {
      // The two versions differ in the names of their packages only.
      serverReflectionInfo: (requests: AsyncIterable<AlphaRequest>) =>
        answerAll(requests as unknown as AsyncIterable<ServerReflectionRequest>) as unknown as AsyncIterable<AlphaResponse>,
    });
  };
}

function answerOne(index: DescriptorIndex, question: ServerReflectionRequest["messageRequest"]): Answer {
  switch (question.case) {
    case "listServices":
      return { case: "listServicesResponse", value: { service: index.serviceNames.map((name) => ({ name })) } };
    case "fileByFilename":
      return fileAnswer(index, index.file(question.value));
    case "fileContainingSymbol":
      return fileAnswer(index, index.fileOfSymbol(question.value));
    case "fileContainingExtension":
      return fileAnswer(index, index.fileOfExtension(question.value.containingType, question.value.extensionNumber));
    case "allExtensionNumbersOfType": {
      const numbers = index.extensionNumbers(question.value);
      if (numbers === undefined) return errorAnswer(Code.NotFound, "there is no such message");
      return { case: "allExtensionNumbersResponse", value: { baseTypeName: question.value, extensionNumber: [...numbers] } };
    }
    case undefined:
      return errorAnswer(Code.InvalidArgument, "the request asks for nothing that is known here");
  }
}

function fileAnswer(index: DescriptorIndex, file: DescFile | undefined): Answer {
  if (file === undefined) return errorAnswer(Code.NotFound, "there is no such file or symbol");
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto: [...index.closure(file)] } };
}

function errorAnswer(errorCode: Code, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}
