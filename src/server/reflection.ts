import type { DescFile, DescService, MessageInitShape } from "@bufbuild/protobuf";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
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
import { Failure } from "../error/failure.ts";
import { codeNumbers } from "../error/table.ts";
import { type DescriptorIndex, indexDescriptors } from "./descriptor-index.ts";

type Answer = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"]>;
type AlphaResponse = MessageInitShape<typeof AlphaResponseSchema>;

/** A client that walks a whole schema needs some dozens of requests. */
const maxRequestsPerStream = 100;
/** Open streams, which cost about 40 KB each. */
const maxStreams = 20;

export interface ReflectionOptions {
  readonly services: readonly DescService[];
  /** Files with messages that no method names, such as error details. */
  readonly otherFiles: readonly DescFile[];
  /** Returns whether the caller with this Authorization header (null if there is none) may use reflection. */
  readonly isAllowed: (authorization: string | null) => Promise<boolean>;
}

/**
 * Registers gRPC server reflection, v1 and v1alpha, for the given services and for itself. Each file is sent once per stream, as the
 * protocol allows; otherwise a request of 40 bytes would get 90 KB each time. An unknown name gets a NOT_FOUND response and the stream
 * continues. Errors: UNAUTHENTICATED for callers who may not use it; RESOURCE_EXHAUSTED for too many requests on a stream, or too many
 * streams.
 */
export function createReflection({ services, otherFiles, isAllowed }: ReflectionOptions): (router: ConnectRouter) => void {
  const index = indexDescriptors([...services, ServerReflection, AlphaServerReflection], otherFiles);
  let streamCount = 0;

  async function* answerAll(requests: AsyncIterable<ServerReflectionRequest>, { requestHeader }: HandlerContext) {
    if (!(await isAllowed(requestHeader.get("authorization")))) throw new Failure("UNAUTHENTICATED");
    if (streamCount >= maxStreams) throw new Failure("TOO_MANY_STREAMS");
    streamCount += 1;
    try {
      yield* answersOnStream(index, requests);
    } finally {
      streamCount -= 1;
    }
  }

  return (router) => {
    router.service(ServerReflection, { serverReflectionInfo: answerAll });
    router.service(AlphaServerReflection, {
      // The two versions differ only in the names of their packages.
      serverReflectionInfo: (requests: AsyncIterable<AlphaRequest>, context) =>
        answerAll(requests as unknown as AsyncIterable<ServerReflectionRequest>, context) as unknown as AsyncIterable<AlphaResponse>,
    });
  };
}

async function* answersOnStream(index: DescriptorIndex, requests: AsyncIterable<ServerReflectionRequest>) {
  const sentFiles = new Set<DescFile>();
  let count = 0;
  for await (const request of requests) {
    count += 1;
    if (count > maxRequestsPerStream)
      throw new Failure("TOO_MANY_STREAMS", { message: "too many requests on one stream; open a new stream" });
    yield { validHost: request.host, originalRequest: request, messageResponse: answerOne(index, request.messageRequest, sentFiles) };
  }
}

function answerOne(index: DescriptorIndex, question: ServerReflectionRequest["messageRequest"], sentFiles: Set<DescFile>): Answer {
  switch (question.case) {
    case "listServices":
      return { case: "listServicesResponse", value: { service: index.serviceNames.map((name) => ({ name })) } };
    case "fileByFilename":
      return fileAnswer(index, sentFiles, index.file(question.value));
    case "fileContainingSymbol":
      return fileAnswer(index, sentFiles, index.fileOfSymbol(question.value));
    case "fileContainingExtension":
      return fileAnswer(index, sentFiles, index.fileOfExtension(question.value.containingType, question.value.extensionNumber));
    case "allExtensionNumbersOfType": {
      const numbers = index.extensionNumbers(question.value);
      if (numbers === undefined) return errorAnswer(codeNumbers.NOT_FOUND, "no such message found");
      return { case: "allExtensionNumbersResponse", value: { baseTypeName: question.value, extensionNumber: [...numbers] } };
    }
    case undefined:
      return errorAnswer(codeNumbers.INVALID_ARGUMENT, "unknown kind of request");
  }
}

function fileAnswer(index: DescriptorIndex, sentFiles: Set<DescFile>, file: DescFile | undefined): Answer {
  if (file === undefined) return errorAnswer(codeNumbers.NOT_FOUND, "no such file or symbol found");
  const fileDescriptorProto: Uint8Array[] = [];
  for (const { descriptor, bytes } of index.closure(file)) {
    if (!sentFiles.has(descriptor)) fileDescriptorProto.push(bytes);
    sentFiles.add(descriptor);
  }
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function errorAnswer(errorCode: number, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}
